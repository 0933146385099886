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
    const known = [...this.#took.values()];
    const usual = known.length === 0 ? 900 : known.reduce((sum, each) => sum + each, 0) / known.length;
    let milliseconds = 0;
    let past = true;
    for (const { mostRounds = this.#rounds, entries } of this.#groups) {
      for (const entry of entries) {
        if (entry === current) past = false;
        if (entry.failure !== undefined) continue;
        const times = Math.min(mostRounds, this.#rounds) - round - (past ? 1 : 0);
        milliseconds += Math.max(0, times) * (this.#took.get(entry) ?? usual);
      }
    }
    return milliseconds;
  }

  #write(line) {
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  }
}

function duration(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
