/** Tells on the standard error what is being measured, and about how long the rest will take. */
export class Progress {
  #groups;
  #rounds;
  /** Milliseconds that each entry took when it was last measured. */
  #took = new Map();
  #began = Date.now();

  constructor(groups, rounds) {
    this.#groups = groups;
    this.#rounds = rounds;
  }

  async during(round, group, entry, work) {
    const line = `round ${round + 1}/${this.#rounds}  ${group.title}: ${entry.contestant}`;
    this.#write(`${line}  (about ${duration(this.#remaining(round, entry))} left)`);
    const began = Date.now();
    await work();
    this.#took.set(entry, Date.now() - began);
  }

  end() {
    this.#write(`took ${duration(Date.now() - this.#began)}`);
    if (process.stderr.isTTY) process.stderr.write('\n');
  }

  #remaining(round, current) {
    const entries = this.#groups
      .flatMap((group) => group.entries)
      .filter(({ failure }) => failure === undefined);
    const known = [...this.#took.values()];
    const usual = known.length === 0 ? 700 : known.reduce((sum, each) => sum + each, 0) / known.length;
    const oneRound = (some) => some.reduce((sum, entry) => sum + (this.#took.get(entry) ?? usual), 0);
    const thisRound = oneRound(entries.slice(entries.indexOf(current)));
    return thisRound + (this.#rounds - round - 1) * oneRound(entries);
  }

  #write(line) {
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  }
}

function duration(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
