// Installs dependencies where that has not been done. There are three places, each with a lock file of its own:
//
//   .      what building and testing need: small, installed by `npm start` and `npm test`
//   docs   the site: installed by `npm run docs`
//   tools  the linter, coverage, watching: installed by the commands that use them
//
// docs and tools are no npm workspaces, because `npm install` would install those, too.
import { join } from 'node:path';
import { root, run } from './native.mjs';
import { contents, step } from './step.mjs';

export async function installDependencies(place, purpose) {
  const inputs = contents([join(place, 'package.json'), join(place, 'package-lock.json')]);
  const title = `Installing ${purpose}, from npm into ${join(place, 'node_modules')}`;
  await step(title, { stamp: join(place, 'node_modules/.installed'), inputs }, () => {
    // Not `npm ci`: it fails where a registry has not all of the packages for other platforms.
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    // `npm pack --dry-run` hands that on to every npm that it starts.
    const args = ['install', '--no-save', '--ignore-scripts', '--no-dry-run', ...quiet];
    run('npm', args, { cwd: join(root, place), stdio: ['ignore', 'ignore', 'inherit'] });
  });
}

export const installTools = () => installDependencies('tools', 'the linter and other tools');
