// The directions in which files may import each other; `npm run lint` checks them with dependency-cruiser.

/** The folders of src/, from the bottom to the top: each may import those before it. */
const LAYERS = [
  'system',
  'descriptors',
  'waiting',
  'addresses',
  'messages',
  'accepting',
  'sockets',
  'shared-memory',
];

/** The files at the root of src/ that every folder uses. */
const BASE = '^src/(arguments|caller|diagnostics|errors|inspection)\\.ts$';

module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      comment: 'Imports of types count, too.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    ...LAYERS.slice(0, -1).map((layer, index) => ({
      name: `${layer}-below-${LAYERS[index + 1]}`,
      severity: 'error',
      from: { path: `^src/${layer}/` },
      to: { path: `^src/(${LAYERS.slice(index + 1).join('|')})/` },
    })),
    {
      name: 'base-at-the-bottom',
      severity: 'error',
      from: { path: BASE },
      to: { path: '^src/', pathNot: [BASE, '^src/system/(linux|timers)\\.ts$'] },
    },
    {
      name: 'the-face-is-for-others',
      comment: 'Nothing in the library imports the face of the package.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/index\\.mts$' },
      to: { path: '^src/index\\.' },
    },
    {
      name: 'the-command-uses-the-public-face',
      severity: 'error',
      from: { path: '^cli/' },
      to: { path: '^(src|dist)/', pathNot: '^dist/index\\.' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
};
