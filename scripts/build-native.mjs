// Builds the C layer from source, in place of the prebuilt one. It needs a C compiler.
//
//   node node_modules/seqpacket/scripts/build-native.mjs
//
// The result takes the place of the prebuilt binary. CC names the compiler.
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
