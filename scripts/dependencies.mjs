// Installs missing dependencies. There are three places, each with its own lock file:
//
//   .      for building and testing, with the workspace packages/bridge: small, installed by `npm start` and `npm test`
//   docs   for the site: installed by `npm run docs`
//   tools  for linting, coverage and watching: installed by the commands that use them
//
// docs and tools are not npm workspaces, because `npm install` would then install them, too.
import { join } from 'node:path';
import { root, run } from './native.mjs';
import { contents, step } from './step.mjs';

export async function installDependencies(place, purpose) {
  const inputs = contents([join(place, 'package.json'), join(place, 'package-lock.json')]);
  const title = `Installing ${purpose}, from npm into ${join(place, 'node_modules')}`;
  await step(title, { stamp: join(place, 'node_modules/.installed'), inputs }, () => {
    // Not `npm ci`: it fails if a registry lacks some of the packages for other platforms.
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    // `npm pack --dry-run` passes this on to every npm that it starts.
    const args = ['install', '--no-save', '--ignore-scripts', '--no-dry-run', ...quiet];
    run('npm', args, { cwd: join(root, place), stdio: ['ignore', 'ignore', 'inherit'] });
  });
}

export const installTools = () => installDependencies('tools', 'the linter and other tools');
