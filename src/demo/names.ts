const ADJECTIVES = [
  'Amber', 'Azure', 'Brave', 'Bright', 'Brisk', 'Calm', 'Cedar', 'Clever', 'Copper', 'Coral', 'Cosmic', 'Crimson',
  'Curious', 'Dapper', 'Dawn', 'Eager', 'Early', 'Ember', 'Fabled', 'Fern', 'Frosty', 'Gentle', 'Golden', 'Happy',
  'Hazel', 'Honest', 'Indigo', 'Ivory', 'Jade', 'Jolly', 'Keen', 'Kind', 'Lively', 'Lucky', 'Lunar', 'Maple',
  'Mellow', 'Merry', 'Mint', 'Misty', 'Modest', 'Nimble', 'Noble', 'Olive', 'Opal', 'Patient', 'Pearl', 'Plucky',
  'Quiet', 'Rapid', 'Rosy', 'Rustic', 'Sage', 'Silver', 'Snowy', 'Solar', 'Spry', 'Steady', 'Sunny', 'Swift',
  'Tidal', 'Velvet', 'Violet', 'Witty',
] as const

const ANIMALS = [
  'Alpaca', 'Badger', 'Beaver', 'Bison', 'Bobcat', 'Cat', 'Cheetah', 'Condor', 'Corgi', 'Crane', 'Deer', 'Dingo',
  'Dolphin', 'Donkey', 'Eagle', 'Egret', 'Elk', 'Falcon', 'Ferret', 'Finch', 'Fox', 'Gecko', 'Gibbon', 'Goose',
  'Hare', 'Hawk', 'Hedgehog', 'Heron', 'Ibex', 'Ibis', 'Jackal', 'Jay', 'Kestrel', 'Koala', 'Lark', 'Lemur',
  'Lynx', 'Magpie', 'Marmot', 'Marten', 'Moose', 'Newt', 'Ocelot', 'Orca', 'Otter', 'Owl', 'Panda', 'Pelican',
  'Penguin', 'Pika', 'Puffin', 'Quail', 'Rabbit', 'Raven', 'Robin', 'Seal', 'Sparrow', 'Stork', 'Swan', 'Tapir',
  'Toucan', 'Turtle', 'Walrus', 'Wombat',
] as const

/** A name that is a pleasure to be given, one of 4,096: `Amber Heron`. */
export function friendlyName(random: () => number = Math.random): string {
  const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? 'Someone'
  return `${pick(ADJECTIVES)} ${pick(ANIMALS)}`
}

/** One or two letters for a face without a mood. */
export function initials(name: string): string {
  const words = name.trim().split(/[\s._-]+/u).filter((word) => word !== '')
  const letters = words.slice(0, 2).map((word) => [...word][0] ?? '')
  return letters.join('').toLocaleUpperCase() || '?'
}

/** How many tints `demo.css` has. */
const TINTS = 10

/** A person's colour, as `data-tint` says it: the same in every tab. */
export function tintOf(userId: string): string {
  return String(hashOf(userId, TINTS))
}

/** The same number below `choices` for the same text, in every tab. */
export function hashOf(text: string, choices: number): number {
  let hash = 2166136261
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16777619)
  return (hash >>> 0) % choices
}
