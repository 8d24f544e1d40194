import type { Readable } from './redis-view.js'

/** All that is to be done at some time, in all partitions: invitations that end, farewells to be told. */
export async function timersIn(redis: Pick<Readable, 'keys' | 'command'>): Promise<readonly { readonly key: string; readonly timer: string }[]> {
  const lists = (await redis.keys('rollcall:{*}:timers')).map(async (key) => {
    // Without the mark that a list is whole.
    const timers = (await redis.command('ZRANGEBYSCORE', key, '-inf', '(+inf')) as string[]
    return timers.map((timer) => ({ key, timer }))
  })
  return (await Promise.all(lists)).flat()
}
