import fc from 'fast-check';
import type { World } from './real/world.js';

/** One call with its arguments, after which the event loop turns or not. */
class Step<Arguments> implements fc.AsyncCommand<World, World> {
  constructor(
    readonly name: string,
    readonly args: Arguments,
    readonly turns: boolean,
    readonly body: (world: World, args: Arguments) => Promise<void>,
    readonly applies: (world: World, args: Arguments) => boolean,
  ) {}

  check(world: Readonly<World>): boolean {
    return this.applies(world as World, this.args);
  }

  async run(world: World): Promise<void> {
    world.steps++;
    await this.body(world, this.args);
    await world.closeUnwanted();
    if (this.turns) await world.turn();
    world.check();
  }

  toString(): string {
    return `${this.name}(${fc.stringify(this.args).slice(1, -1)})${this.turns ? '' : ' and at once'}`;
  }
}

export interface Kind {
  name: string;
  weight: number;
  arbitrary: fc.Arbitrary<fc.AsyncCommand<World, World>>;
}

/** Defines a command: its weight, its arguments, and its effect on the world. */
export function command<Arguments>(
  name: string,
  weight: number,
  args: { [Key in keyof Arguments]: fc.Arbitrary<Arguments[Key]> },
  body: (world: World, args: Arguments) => Promise<void>,
  applies: (world: World, args: Arguments) => boolean = () => true,
): Kind {
  const turns = fc.oneof(
    { weight: 3, arbitrary: fc.constant(true) },
    { weight: 2, arbitrary: fc.constant(false) },
  );
  const arbitrary = fc
    .tuple(fc.record(args) as fc.Arbitrary<Arguments>, turns)
    .map(([values, turn]) => new Step(name, values, turn, body, applies));
  return { name, weight, arbitrary };
}
