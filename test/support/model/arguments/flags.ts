import fc from 'fast-check';
import { MessageFlag } from 'seqpacket';

const { peek, truncate, dontWait } = MessageFlag;

export const receiveFlags = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      peek,
      truncate,
      dontWait,
      peek | truncate,
      peek | dontWait,
      peek | truncate | dontWait,
    ),
  },
);

export const sendFlags = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.constant(dontWait));
