import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Client } from './connections.js'

/** A script as Redis runs it: one EVALSHA, and EVAL when the server does not know it (a restart, SCRIPT FLUSH). */
export class Script {
  readonly #source: string
  readonly #sha: string

  /** @param flags of the `#!lua` line. Without `allow-oom` a script is refused before its first write under `maxmemory`. */
  constructor(
    readonly name: string,
    flags: string,
  ) {
    this.#source = `#!lua${flags === '' ? '' : ` flags=${flags}`}\n${textOf(`${name}.lua`)}`
    this.#sha = createHash('sha1').update(this.#source).digest('hex')
  }

  async run(redis: Client, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    try {
      return await redis.evalsha(this.#sha, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return await redis.eval(this.#source, keys.length, ...keys, ...args)
    }
  }
}

/** A file of `lua/`; a line `-- #include <file>` stands for that file: all of it is one chunk, with its locals. */
function textOf(file: string): string {
  const text = readFileSync(new URL(`./lua/${file}`, import.meta.url), 'utf8')
  return text.replace(/^-- #include (\S+)\n/gm, (_, part: string) => textOf(part))
}

// The same body twice: a flag belongs to a whole script, and only what grows may be refused for lack of memory.
export const commitGrowing = new Script('commit', '')
export const commitShrinking = new Script('commit', 'allow-oom')
export const heartbeat = new Script('heartbeat', 'allow-oom')
export const status = new Script('status', 'no-writes')
export const snapshot = new Script('snapshot', 'no-writes')
export const metadataGrowing = new Script('metadata', '')
export const metadataShrinking = new Script('metadata', 'allow-oom')
export const rosterGrowing = new Script('roster', '')
export const rosterShrinking = new Script('roster', 'allow-oom')
export const tidingsGrowing = new Script('tidings', '')
export const tidingsShrinking = new Script('tidings', 'allow-oom')
export const forget = new Script('forget', 'allow-oom')
export const reach = new Script('reach', 'allow-oom')
export const invitationGrowing = new Script('invitation', '')
export const invitationShrinking = new Script('invitation', 'allow-oom')
export const audit = new Script('audit', 'allow-oom')
export const message = new Script('message', '')
export const receipt = new Script('receipt', 'allow-oom')
export const holding = new Script('holding', 'no-writes')
export const inbox = new Script('inbox', 'no-writes')
export const timer = new Script('timer', 'allow-oom')
export const outbox = new Script('outbox', 'allow-oom')
