import { readdirSync } from 'node:fs'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

import type { Scope } from '../support/scope.js'
import type { Env } from '../support/spawned.js'

/** As Debian, Ubuntu and their kin install it: in a folder of each architecture. */
const FOLDER = '/usr/lib'

/** Why wall clocks cannot be set here, and what would help; `undefined` where they can. */
export function noWallClocks(): string | undefined {
  return library() === undefined ? 'libfaketime is not installed (Debian and Ubuntu: apt-get install libfaketime)' : undefined
}

/** The wall clock of a process, wrong by as much as one says, also while it runs. Its other clocks are left alone. */
export class WallClock {
  private constructor(
    private readonly file: string,
    private readonly preload: string,
  ) {}

  static async open(scope: Scope, aheadS: number): Promise<WallClock> {
    const preload = library()
    if (preload === undefined) throw new Error(noWallClocks())
    const directory = await mkdtemp(path.join(tmpdir(), 'rollcall-clock-'))
    scope.defer('a wall clock', () => rm(directory, { recursive: true, force: true }))
    const clock = new WallClock(path.join(directory, 'offset'), preload)
    await clock.set(aheadS)
    return clock
  }

  get env(): Env {
    return {
      LD_PRELOAD: this.preload,
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_NO_CACHE: '1',
      // Its name in older versions, and in newer ones.
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
  }

  /** From now on it is so many seconds ahead; negative: behind. */
  async set(aheadS: number): Promise<void> {
    // Whoever reads it meanwhile reads all of the old one or all of the new one.
    await writeFile(`${this.file}.new`, `${aheadS < 0 ? '' : '+'}${aheadS}\n`)
    await rename(`${this.file}.new`, this.file)
  }
}

function library(): string | undefined {
  const folders = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  for (const { name } of folders) {
    try {
      const folder = path.join(FOLDER, name, 'faketime')
      // The one for processes with several threads.
      const file = readdirSync(folder).find((each) => each.startsWith('libfaketimeMT.so'))
      if (file !== undefined) return path.join(folder, file)
    } catch {
      continue
    }
  }
  return undefined
}
