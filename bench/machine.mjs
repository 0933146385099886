// What it was measured on.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export function describeMachine(cpu) {
  const models = cpus();
  const text = (file) => readFileSync(file, 'utf8');
  const first = (program, args) => spawnSync(program, args, { encoding: 'utf8' }).stdout?.split('\n')[0];
  const system = /^PRETTY_NAME="(.*)"$/m.exec(text('/etc/os-release'))?.[1];
  return {
    cpu: `${models[0].model.trim()}, ${models.length} CPUs${/^flags.*\bhypervisor\b/m.test(text('/proc/cpuinfo')) ? ', virtual machine' : ''}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: `Linux ${release()}`,
    system,
    node: `Node.js ${process.version}`,
    compiler: first('cc', ['--version']),
    python: first('python3', ['--version']),
    go: first('go', ['version']),
    pinnedTo: `CPU ${cpu}`,
  };
}
