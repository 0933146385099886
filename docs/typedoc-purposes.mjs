// Groups the reference by what a reader wants to do, not by kind. A plugin of TypeDoc; the site's sidebar uses it, too.
import { Application, Comment, CommentTag, Converter, ReflectionKind } from 'typedoc';

/** What the package exports. */
export const EXPORTS = {
  'Connect and listen': [
    'connect',
    'connectSync',
    'ConnectOptions',
    'ConnectSyncOptions',
    'SignalOption',
    'TimeoutOption',
    'listen',
    'ListenOptions',
    'AllowedPeers',
    'pair',
    'PairOptions',
    'pairForChild',
    'activated',
    'ActivatedSocket',
    'SocketPath',
  ],
  'Send and receive': [
    'SeqpacketSocket',
    'Buffers',
    'Message',
    'MessageBatch',
    'MessageBatchOptions',
    'MessageFlag',
    'MessageOptions',
    'ReceiveMessageOptions',
    'ReceiveManyOptions',
    'SendSyncOptions',
    'ReceiveSyncOptions',
    'ReceiveMessageSyncOptions',
    'ReceiveManySyncOptions',
    'ReceivedWithFds',
    'EmptyMessages',
  ],
  'Share memory': [
    'shareMemory',
    'ShareMemoryOptions',
    'SharedChannel',
    'ChannelWaitOptions',
    'Lease',
    'Borrowed',
  ],
  Serve: ['SeqpacketAcceptor', 'AcceptorOptions'],
  'Pass descriptors': ['FileDescriptor', 'FdSource'],
  'Options, identity and counters': [
    'SocketOptions',
    'SettableSocketOptions',
    'PeerCredentials',
    'Credentials',
    'Counters',
  ],
  'Handle errors': ['SeqpacketError', 'AbortError'],
};

/** The members of the classes. */
const MEMBERS = {
  Create: ['constructor', 'pair', 'open', 'adopt', 'dup'],
  'Connect and listen': ['bind', 'connect', 'disconnect', 'listen'],
  Accept: ['accept', 'acceptSync'],
  Send: [
    'send',
    'sendWithFds',
    'sendMany',
    'trySend',
    'sendSync',
    'sendManySync',
    'sendBatch',
    'sendBatchSync',
    'lease',
  ],
  Receive: [
    'receive',
    'receiveMessage',
    'receiveWithFds',
    'receiveMany',
    'tryReceive',
    'messages',
    'receiveSync',
    'receiveMessageSync',
    'receiveManySync',
    'receiveBatch',
    'receiveBatchSync',
    'borrow',
    'wait',
  ],
  'Iterate and stream': ['[asyncIterator]', 'readable', 'writable'],
  'Close and cancel': ['close', 'cancel', 'shutdown', '[dispose]', '[asyncDispose]'],
  'Options and state': [
    'setOption',
    'getOption',
    'ioControl',
    'isOpen',
    'fd',
    'localPath',
    'remotePath',
    'counters',
    'type',
    'nonBlocking',
    'isSocket',
    'socket',
    'data',
    'toString',
  ],
  'Hand over': ['assign', 'release', 'detach'],
  'Keep the process alive': ['ref', 'unref'],
};

const ORDER = ['Create', ...Object.keys(EXPORTS), ...Object.keys(MEMBERS), 'Other'];

function categoryIn(purposes, name) {
  return Object.entries(purposes).find(([, names]) => names.includes(name))?.[0] ?? 'Other';
}

export function load(app) {
  app.on(Application.EVENT_BOOTSTRAP_END, () => {
    app.options.setValue('categorizeByGroup', false);
    app.options.setValue('categoryOrder', ORDER);
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const exported of project.children ?? []) {
      categorize(exported, categoryIn(EXPORTS, exported.name));
      if (!exported.kindOf(ReflectionKind.Class)) continue;
      for (const member of exported.children ?? []) categorize(member, categoryIn(MEMBERS, member.name));
    }
  });
  // The base class of sockets and acceptors is not exported: what is inherited from it is no news to a reader.
  const isLast = -10_000;
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => forgetBaseClass(project), isLast);
}

/** The base class of sockets and acceptors is not exported. */
function forgetBaseClass(project) {
  for (const exported of project.children ?? []) {
    if (!exported.kindOf(ReflectionKind.Class)) continue;
    exported.extendedTypes = undefined;
    exported.typeHierarchy = undefined;
    for (const member of exported.children ?? []) forgetOrigin(member);
  }
}

function forgetOrigin(member) {
  const { signatures = [], getSignature, setSignature } = member;
  for (const each of [member, ...signatures, getSignature, setSignature]) {
    if (each === undefined) continue;
    each.inheritedFrom = undefined;
    each.overwrites = undefined;
    each.implementationOf = undefined;
  }
}

function categorize(reflection, category) {
  reflection.comment ??= new Comment();
  reflection.comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: category }]));
}
