import { builtinModules } from 'node:module'
import path from 'node:path'

import { build } from 'esbuild'

const BUILTIN = new RegExp(`^(?:node:|(?:${builtinModules.join('|')})(?:/|$))`)

/** The only folders of ours that may reach a browser. */
const BROWSER_SOURCES = ['src/client/', 'src/demo/', 'src/protocol/', 'src/replica/']

/** esbuild would say "could not resolve" as well; this names the rule and who broke it. */
const refuseNodeBuiltins = {
  name: 'refuse-node-builtins',
  setup(pluginBuild) {
    pluginBuild.onResolve({ filter: BUILTIN }, ({ path: wanted, importer }) => ({
      errors: [{ text: `${path.relative('.', importer)} imports ${wanted}, which no browser has` }],
    }))
  },
}

/**
 * Bundles one entry for browsers as an ES module.
 *
 * @param {string} entry the TypeScript entry, relative to the repository
 * @param {string} [outfile] where to write it; absent: only checked
 * @returns {Promise<number>} its size in bytes
 * @throws when a Node built-in, or server code, would end up in it
 */
export async function bundleForBrowser(entry, outfile) {
  const result = await build({
    entryPoints: [entry],
    outfile: outfile ?? 'dist/checked-only.js',
    write: outfile !== undefined,
    bundle: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    minify: true,
    sourcemap: outfile !== undefined,
    // Several packages ask for it; there is no `process` in a browser.
    define: { 'process.env.NODE_ENV': '"production"' },
    metafile: true,
    logLevel: 'warning',
    plugins: [refuseNodeBuiltins],
  })
  const foreign = Object.keys(result.metafile.inputs).filter(
    (input) => input.startsWith('src/') && !BROWSER_SOURCES.some((folder) => input.startsWith(folder)),
  )
  if (foreign.length > 0) throw new Error(`${entry} pulls server code into the browser: ${foreign.join(', ')}`)
  const [output] = Object.values(result.metafile.outputs).filter((file) => file.entryPoint !== undefined)
  return output.bytes
}
