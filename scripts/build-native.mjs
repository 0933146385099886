// Builds the C layer from source, to replace the prebuilt one. Needs a C compiler.
//
//   node node_modules/seqpacket/scripts/build-native.mjs
//
// The library prefers the result to the prebuilt binary. CC is the name of the compiler.
import { compile, compiler, nodeApiHeaders, root, variants } from './native.mjs';

if (nodeApiHeaders() === undefined) {
  console.error(
    `seqpacket: no node_api.h belongs to ${process.execPath}. Install it, for instance with ` +
      '"npm install --no-save node-api-headers", and try again.',
  );
  process.exit(1);
}
compile(variants.release);
console.log(`seqpacket: ${compiler()} has built ${root}build/seqpacket.node`);
