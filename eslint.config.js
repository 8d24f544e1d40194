import { existsSync, readdirSync } from 'node:fs'

import js from '@eslint/js'
import { defineConfig } from 'eslint/config'
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript'
import importX from 'eslint-plugin-import-x'
import tseslint from 'typescript-eslint'

/**
 * The one direction in which imports point (docs/architecture.md): every part of `src/` with what it may import besides
 * itself. A part that is missing here fails the linter, so nobody adds a folder without giving it a place.
 */
const DOMAIN = ['protocol', 'replica', 'presence']
const ASIDE = ['config', 'auth', 'metrics', 'log']
const EDGE = [...DOMAIN, ...ASIDE, 'store', 'feeds']
const MAY_IMPORT = {
  protocol: [],
  replica: ['protocol'],
  presence: ['protocol', 'replica'],
  config: ['protocol'],
  auth: ['protocol'],
  metrics: ['protocol'],
  log: [],
  store: [...DOMAIN, 'config', 'metrics', 'log'],
  feeds: [...DOMAIN, 'config', 'metrics', 'log'],
  gateway: EDGE,
  rest: EDGE,
  sweeper: EDGE,
  webhooks: EDGE,
  admin: EDGE,
  node: [...EDGE, 'gateway', 'rest', 'sweeper', 'webhooks', 'admin'],
  index: [...EDGE, 'rest', 'node'],
  compat: ['protocol', 'rest', 'node'],
  'run-node': ['protocol', ...ASIDE, 'node'],
  main: ['run-node'],
  cli: ['protocol', 'replica', ...ASIDE, 'store', 'node', 'run-node', 'client'],
  client: ['protocol', 'replica'],
  demo: ['protocol', 'replica', 'client'],
}

/** Packages that belong to one place, so that replacing one is a change in one place. */
const HOME_OF = {
  ioredis: ['store'],
  express: ['rest'],
  helmet: ['rest'],
  'socket.io': ['gateway'],
  'socket.io-parser': ['gateway'],
  '@socket.io/redis-adapter': ['gateway', 'node'],
  '@socket.io/sticky': ['gateway', 'cli'],
  'socket.io-client': ['client', 'cli'],
  jose: ['auth'],
  'prom-client': ['metrics'],
  pino: ['log'],
}

/** Parts that run anywhere: what else than our own files they may import. */
const PURE = {
  protocol: { regex: '^[^.]', message: 'protocol/ imports no package and no Node module.' },
  replica: { regex: '^[^.]', message: 'replica/ imports no package and no Node module.' },
  client: { regex: '^(?!\\.|socket\\.io-client$)', message: 'client/ runs in browsers: socket.io-client, nothing else.' },
  demo: { regex: '^[^.]', message: 'The demo page runs in browsers, on the SDK alone.' },
}

const parts = existsSync('src')
  ? readdirSync('src', { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || entry.name.endsWith('.ts'))
      .map((entry) => entry.name.replace(/\.ts$/, ''))
  : []
for (const part of parts) {
  if (!Object.hasOwn(MAY_IMPORT, part)) throw new Error(`src/${part} has no place in MAY_IMPORT (eslint.config.js).`)
}

const paths = (part) => [`./${part}`, `./${part}.ts`]

const zones = Object.entries(MAY_IMPORT).flatMap(([part, allowed]) =>
  paths(part).map((target) => ({
    target: target.replace('.', './src'),
    from: './src',
    except: [part, ...allowed].flatMap(paths),
    message: `${part} may import ${allowed.length > 0 ? `only ${allowed.join(', ')}` : 'none of our other folders'}.`,
  })),
)

const packageRules = Object.keys(MAY_IMPORT).map((part) => ({
  name: `rollcall/packages/${part}`,
  files: [`src/${part}/**/*.ts`, `src/${part}.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          ...Object.entries(HOME_OF)
            .filter(([, homes]) => !homes.includes(part))
            .map(([name, homes]) => ({
              regex: `^${name}(?:/|$)`,
              message: `${name} is used in ${homes.map((home) => `src/${home}`).join(' and ')} only.`,
            })),
          ...(Object.hasOwn(PURE, part) ? [PURE[part]] : []),
        ],
      },
    ],
  },
}))

export default defineConfig(
  { ignores: ['dist', 'dist.*', 'coverage', 'node_modules', '.cache'] },
  js.configs.recommended,
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    name: 'rollcall/scripts',
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: { process: 'readonly', console: 'readonly', Buffer: 'readonly', URL: 'readonly', fetch: 'readonly', setTimeout: 'readonly', AbortSignal: 'readonly' },
    },
  },
  {
    name: 'rollcall/typescript',
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked, tseslint.configs.stylisticTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/ban-ts-comment': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // An interface may ask for a promise where one implementation has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones }],
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-unresolved': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-control-regex': 'off',
    },
  },
  ...packageRules,
  {
    name: 'rollcall/no-console',
    files: ['src/**/*.ts'],
    ignores: ['src/cli/**', 'src/run-node.ts'],
    rules: { 'no-console': 'error' },
  },
  {
    name: 'rollcall/file-length',
    files: ['src/**/*.ts'],
    // About 300 lines is where to look for a seam; this is where there must be one.
    rules: { 'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }] },
  },
  {
    name: 'rollcall/tests',
    files: ['test/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
)
