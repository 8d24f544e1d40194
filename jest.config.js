/** @type {import('jest').Config} */
export default {
  // Kinds of tests, told apart by folder: `npm test -- test/unit` runs one of them.
  testMatch: ['<rootDir>/test/{unit,contract,integration,cluster,model,faults,hostile}/**/*.test.ts'],
  testEnvironment: '<rootDir>/scripts/jest/environment.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  // TypeScript's ESM sources import `./x.js` and mean `./x.ts`; packages mean what they say.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': ['$1.ts', '$1.js'] },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  // Many tests start Redis servers and nodes of their own: more of them at once make each other slow, not the run fast.
  maxWorkers: 2,
  // For what hangs. What a test waits for has a bound of its own.
  testTimeout: 90_000,
  injectGlobals: false,
  restoreMocks: true,
}
