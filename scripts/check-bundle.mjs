// Proves that what browsers get needs nothing of Node: bundles the SDK, its other shapes and the demo page without writing anything.
import { existsSync } from 'node:fs'
import path from 'node:path'

import { bundleForBrowser } from './lib/bundle.mjs'

process.chdir(path.resolve(import.meta.dirname, '..'))

for (const entry of ['src/client/browser.ts', 'src/client/compat/tim/index.ts', 'src/client/compat/ar-rtm/index.ts', 'src/demo/demo.ts']) {
  if (!existsSync(entry)) {
    console.error(`check-bundle: ${entry} is missing`)
    process.exitCode = 1
    continue
  }
  try {
    const bytes = await bundleForBrowser(entry)
    console.log(`check-bundle: ${entry}: ${(bytes / 1024).toFixed(1)} kB minified, no Node built-ins`)
  } catch (error) {
    console.error(`check-bundle: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}
