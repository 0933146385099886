// Measures this package, its peers and the limit, and prints tables. See README.md; `--help` lists the options.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { absentees } from './contestants.mjs';
import { allowedCpus } from './cpus.mjs';
import { describeMachine } from './machine.mjs';
import { plot } from './plot.mjs';
import { compileLimit } from './prepare.mjs';
import { Progress } from './progress.mjs';
import { report, targetTable, writeDocuments } from './report.mjs';
import { works } from './works.mjs';

const HELP = `npm run bench -- [options]

  --quick        fewer sizes, connections and rounds, shorter runs: a minute in all; for a first look
  --only NAME    only this suite, or group of a suite; may be repeated
  --rounds N     how often everything is measured (4; quick: 1)
  --cpu N        the CPU to which both processes are pinned (the last)
  --json FILE    writes every measurement there
  --from FILE    measures nothing, and takes what --json wrote
  --svg FILE     writes the plot there
  --docs         writes tables and plot into docs/, targets into CONTRIBUTING.md
  --list         names the suites and their groups
`;

const allowed = allowedCpus();

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    cpu: { type: 'string', default: String(allowed.at(-1)) },
    json: { type: 'string' },
    from: { type: 'string' },
    svg: { type: 'string' },
    docs: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) {
  process.stdout.write(HELP);
  process.exit();
}

const selected = works(options.quick).filter(
  ({ suite, name }) =>
    options.only === undefined || options.only.some((only) => only === suite || only === name),
);
if (options.list) {
  for (const { suite, name, title } of selected)
    console.log(`${suite.padEnd(12)} ${name.padEnd(20)} ${title}`);
  process.exit();
}
if (selected.length === 0) {
  console.error(`There is no ${options.only}; --list names what there is`);
  process.exit(1);
}

const rounds = positiveInteger('rounds', options.rounds ?? (options.quick ? '1' : '4'));
const cpu = Number(options.cpu);
if (!allowed.includes(cpu)) {
  console.error(`--cpu must be one of ${allowed.join(', ')}`);
  process.exit(1);
}
const otherCpu = allowed.find((other) => other !== cpu) ?? cpu;
const conditions = {
  cpus: [cpu, cpu],
  bothCpus: [cpu, otherCpu],
  ...(options.quick ? { warmUp: 300, measure: 150 } : { warmUp: 600, measure: 300 }),
};

function positiveInteger(name, text) {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  console.error(`--${name} must be a positive integer`);
  process.exit(1);
}

// So that what is done at the exit is done then, too.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

async function measureAll() {
  console.error('Compiling, installing the peers …');
  compileLimit();
  const absent = absentees();
  // This process does nothing while others are measured; but not even that on their CPU.
  if (otherCpu !== cpu) spawnSync('taskset', ['-apc', String(otherCpu), String(process.pid)]);

  /** By group and contestant: one sample for each round, or why there is none. */
  const results = selected.map((group) => ({
    ...group,
    entries: group.entries.map(({ contestant, measure }) => ({
      contestant,
      measure,
      samples: [],
      failure: group.absent ?? absent[contestant],
    })),
  }));

  const progress = new Progress(results, rounds);
  for (let round = 0; round < rounds; round++) {
    for (const group of results) {
      for (const entry of group.entries) {
        if (entry.failure !== undefined || round >= group.mostRounds) continue;
        await progress.during(round, group, entry, async () => {
          try {
            entry.samples[round] = await entry.measure(conditions);
          } catch (error) {
            entry.failure = error.message;
            console.error(error.message);
          }
        });
      }
    }
  }
  progress.end();

  return {
    machine: describeMachine(cpu),
    date: new Date().toISOString().slice(0, 10),
    rounds,
    measureMilliseconds: conditions.measure,
    groups: results.map(({ entries, ...group }) => ({
      ...group,
      entries: entries.map(({ contestant, samples, failure }) => ({ contestant, samples, failure })),
    })),
  };
}

const measured =
  options.from === undefined ? await measureAll() : JSON.parse(readFileSync(options.from, 'utf8'));
console.log(report(measured));
console.log(`### Targets\n\n${targetTable(measured)}\n`);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(measured, null, 2)}\n`);
if (options.svg !== undefined) writeFileSync(options.svg, plot(measured));
if (options.docs) writeDocuments(measured);
