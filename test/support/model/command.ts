import fc from 'fast-check';
import type { World } from './real/world.js';

/** One call with its arguments, after which the event loop turns or not. */
class Step<Kind extends World, Arguments> implements fc.AsyncCommand<World, World> {
  constructor(
    readonly name: string,
    readonly args: Arguments,
    readonly turns: boolean,
    readonly body: (world: Kind, args: Arguments) => Promise<void>,
    readonly applies: (world: Kind, args: Arguments) => boolean,
  ) {}

  check(world: Readonly<World>): boolean {
    return this.applies(world as Kind, this.args);
  }

  async run(world: World): Promise<void> {
    world.steps++;
    await this.body(world as Kind, this.args);
    await world.closeUnwanted();
    if (this.turns) await world.turn();
    else world.catchUp();
    world.check();
  }

  toString(): string {
    return `${this.name}(${fc.stringify(this.args).slice(1, -1)})${this.turns ? '' : ' and at once'}`;
  }
}

export interface CommandKind {
  name: string;
  weight: number;
  arbitrary: fc.Arbitrary<fc.AsyncCommand<World, World>>;
}

/** Defines a command: its weight, its arguments, and its effect on the world. */
export function command<Arguments, Kind extends World = World>(
  name: string,
  weight: number,
  args: { [Key in keyof Arguments]: fc.Arbitrary<Arguments[Key]> },
  body: (world: Kind, args: Arguments) => Promise<void>,
  applies: (world: Kind, args: Arguments) => boolean = () => true,
): CommandKind {
  const turns = fc.oneof(
    { weight: 3, arbitrary: fc.constant(true) },
    { weight: 2, arbitrary: fc.constant(false) },
  );
  const arbitrary = fc
    .tuple(fc.record(args) as fc.Arbitrary<Arguments>, turns)
    .map(([values, turn]) => new Step<Kind, Arguments>(name, values, turn, body, applies));
  return { name, weight, arbitrary };
}
