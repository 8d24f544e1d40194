/** What nobody may use as a user id or the name of a channel. All but the first lines are strings. */
export const BAD_NAMES: readonly (readonly [string, unknown])[] = [
  ['no name', undefined],
  ['null', null],
  ['a number', 42],
  ['true', true],
  ['{}', {}],
  ['a list', ['room']],
  ['binary', Buffer.from('room')],
  ['the empty string', ''],
  ['65 bytes', 'x'.repeat(65)],
  ['66 bytes in 22 characters', '€'.repeat(22)],
  ['a megabyte less a little', 'x'.repeat(900_000)],
  ['a NUL', 'a\0b'],
  ['a dot', '.'],
  ['two dots', '..'],
  ['a lone high surrogate', 'a\ud800'],
  ['a lone low surrogate', '\udc00b'],
  ['a decomposed letter', 'e\u0301'],
]

/** Names that look like trouble and are names. */
export const ODD_NAMES: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  '{room}',
  '}{',
  'a:b:c',
  'MESSAGE:room',
  'rollcall:{0}:clock',
  ' ',
  '-1',
  '%2e%2e',
  '../../etc',
  '*',
  'a\nb',
  '麦位',
  '🎤'.repeat(16),
  'x'.repeat(64),
]

/** Wrong where one object is asked for. */
export const BAD_PAYLOADS: readonly (readonly [string, readonly unknown[]])[] = [
  ['nothing', []],
  ['null', [null]],
  ['a number', [42]],
  ['a string', ['room']],
  ['a list', [[{ channelName: 'room' }]]],
  ['binary', [Buffer.from('{}')]],
  ['two objects', [{ channelName: 'room' }, { channelName: 'room' }]],
]

/** An object whose own property `__proto__` holds what is asked for: as JSON says it, and as nobody should read it. */
export function underProto(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return JSON.parse(`{"__proto__":${JSON.stringify(fields)}}`) as Readonly<Record<string, unknown>>
}
