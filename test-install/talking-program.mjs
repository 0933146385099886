// A program that says "it works", for every kind of module.
const talk = `
const [a, b] = pair();
a.send(Buffer.from('it works'));
b.receiveMessage().then(({ data }) => {
  console.log(String(data));
  a.close();
  b.close();
});
`;

export const esm = `import { pair } from 'seqpacket';${talk}`;
export const commonJs = `const { pair } = require('seqpacket');${talk}`;
