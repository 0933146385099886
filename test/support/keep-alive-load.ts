/**
 * Sends HTTP requests over keep-alive connections until its standard input ends. Some clients send the next request
 * at once, others after a pause, so that idle connections exist at any time. Prints the progress as lines of JSON:
 * the number of answers of each text, and the failures.
 *
 *     node keep-alive-load.js PORT CLIENTS
 */
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [port, clients] = process.argv.slice(2).map(Number) as [number, number];
const agent = new Agent({ keepAlive: true, maxSockets: clients });
const answers: Record<string, number> = {};
const failures: string[] = [];
let connections = 0;
let isRunning = true;

function request(): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = get({ agent, host: '127.0.0.1', port }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200 && response.complete) resolve(text);
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    sent.once('socket', (socket) => {
      if (socket.connecting) connections++;
    });
    sent.once('error', reject);
  });
}

async function client(number: number): Promise<void> {
  while (isRunning) {
    try {
      const text = await request();
      answers[text] = (answers[text] ?? 0) + 1;
    } catch (error) {
      failures.push(String((error as Error).message));
    }
    if (number % 2 === 1) await sleep(Math.random() * 4);
  }
}

const report = () => console.log(JSON.stringify({ answers, failures, connections }));
const timer = setInterval(report, 20);
process.stdin.resume().once('end', () => {
  isRunning = false;
});
await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
clearInterval(timer);
report();
agent.destroy();
