import fc from 'fast-check';
import { KernelSocket } from '../expected/kernel.js';
import type { OwnDescriptor } from '../real/own-descriptor.js';
import { DESCRIPTORS, type World } from '../real/world.js';

export const descriptor = fc.nat(DESCRIPTORS - 1);

export const ownOf = (world: World, index: number) => world.descriptors[index % world.descriptors.length]!;

export function isFree(world: World, { content }: OwnDescriptor): boolean {
  return !(content instanceof KernelSocket && world.isTaken(content));
}
