import fc from 'fast-check'

/** Names of requests, and of what Socket.IO and Node's emitters keep for themselves. */
const EVENTS = [
  ...['subscribe', 'unsubscribe', 'setState', 'removeState', 'getState', 'whoNow', 'whereNow', 'resume', 'renewToken', 'closing'],
  ...['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener', 'error', 'ready', 'presence', 'kicked'],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', '\0', '*'],
]

/** Lists or objects inside each other, some of them deeper than a recursion may go. */
const nested: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom(['[', ']'], ['{"a":', '}'], ['[{"channelName":', '}]'], ['{"__proto__":', '}']), fc.constantFrom(1, 50, 10_000))
  .map(([[open = '', close = ''], depth]) => `${open.repeat(depth)}1${close.repeat(depth)}`)

/** What a request may look like, from right to nonsense. */
const payload: fc.Arbitrary<string> = fc.oneof(
  fc.json(),
  nested,
  fc.constantFrom('{"channelName":"room"}', '{"channelName":"room","states":{"a":"b"}}', '{"channels":[{}]}', '{"_placeholder":true,"num":0}', '{"_placeholder":true,"num":9e99}', '{"userId":"ada"}', '{', ']', 'NaN', '\u2028'),
  fc.string({ unit: 'binary', maxLength: 40 }),
)

const event = fc.oneof(fc.constantFrom(...EVENTS).map((name) => JSON.stringify(name)), fc.json(), fc.string({ maxLength: 8 }))
const ackId = fc.constantFrom('', '0', '1', '9'.repeat(20), '9'.repeat(400), '1e9', '-1', ' ', '0x10')
const namespace = fc.constantFrom('', '/,', '/nowhere,', '/admin', `/${'n'.repeat(300)},`, '/__proto__,', '/?a=b,')
const attachments = fc.constantFrom('', '0-', '1-', '2-', '11-', '999999999-', '-', '1.5-', 'x-')

/** One packet of Socket.IO as text, with each part right or wrong on its own. */
export const packet: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('2', '5'), attachments, namespace, ackId, event, fc.array(payload, { maxLength: 3 })).map(([type, count, nsp, id, name, args]) => `${type}${type === '5' ? count : ''}${nsp}${id}[${[name, ...args].join(',')}]`) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('0', '1', '3', '4', '6', '7', '9', 'x'), attachments, namespace, ackId, payload).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.tuple(namespace, payload).map(([nsp, auth]) => `0${nsp}${auth}`) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
)

/** One packet of Engine.IO: mostly messages. */
export const enginePacket: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: packet.map((text) => `4${text}`) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('0', '1', '2', '3', '5', '6', '7', 'b', 'bAAAA', ''), fc.string({ maxLength: 10 })).map((parts) => parts.join('')) },
)
