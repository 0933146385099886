/**
 * Constants of the Linux ABI, which are the same on x64 and arm64 (include/uapi/asm-generic and linux/socket.h).
 * The structures that the library reads and writes are little-endian, with a 64-bit `size_t`.
 */
import { constants } from 'node:os';

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

/** The flags of every new socket. It is never blocking, and never inherited by another program. */
export const SOCKET_FLAGS: number = SOCK_CLOEXEC | SOCK_NONBLOCK;
export const SOCKET_TYPE: number = SOCK_SEQPACKET | SOCKET_FLAGS;

export const MSG_PEEK = 0x2;
export const MSG_CTRUNC = 0x8;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_EOR = 0x80;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_CMSG_CLOEXEC = 0x40000000;

export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

export const SOL_SOCKET = 1;
export const SO_DEBUG = 1;
export const SO_TYPE = 3;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_PASSCRED = 16;
export const SO_PEERCRED = 17;
export const SO_TIMESTAMP = 29;
export const SO_ACCEPTCONN = 30;
export const SO_PEERSEC = 31;
export const SO_DOMAIN = 39;
export const SO_PEERGROUPS = 59;
export const SO_PEERPIDFD = 77;

export const SCM_RIGHTS = 1;
export const SCM_CREDENTIALS = 2;
export const SCM_PIDFD = 4;
/** The maximum number of descriptors in one message (include/net/scm.h). */
export const SCM_MAX_FD = 253;

/** The maximum number of buffers of one sendmsg(2) or recvmsg(2). The addon uses one of those of recvmsg. */
export const IOV_MAX = 1024;

/** The size of `sockaddr_un.sun_path`, in bytes. */
export const UNIX_PATH_MAX = 108;

export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLNVAL = 0x20;

export const FIONREAD = 0x541b;
export const SIOCOUTQ = 0x5411;
export const F_GETFD = 1;
export const F_SETFD = 2;
export const FD_CLOEXEC = 1;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const O_NONBLOCK = 0o4000;
export const O_ACCMODE = 0o3;
export const O_RDWR = 0o2;
export const SEEK_END = 2;
export const O_PATH = 0o10000000;

export const MFD_CLOEXEC = 0x1;
export const MFD_ALLOW_SEALING = 0x2;
export const MFD_NOEXEC_SEAL = 0x8;
export const F_ADD_SEALS = 1033;
export const F_GET_SEALS = 1034;
export const F_SEAL_SEAL = 0x1;
export const F_SEAL_SHRINK = 0x2;
export const F_SEAL_GROW = 0x4;
export const F_SEAL_WRITE = 0x8;
export const F_SEAL_FUTURE_WRITE = 0x10;

export const { EAGAIN, EALREADY, EADDRINUSE, EBADF, ECANCELED, ECONNABORTED, ECONNRESET, ECONNREFUSED } =
  constants.errno;
export const { EACCES, EBUSY, EINTR, ENOENT, EPERM, EROFS, ETIMEDOUT } = constants.errno;
export const { EEXIST, EINVAL, EISCONN, EMSGSIZE, ENODATA, ENOMEM, ENOTCONN, ENOTSOCK, EPROTOTYPE } =
  constants.errno;
export const { ENOTSUP, EPIPE, EPROTO, ERANGE } = constants.errno;
