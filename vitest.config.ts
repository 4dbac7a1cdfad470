import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'src/**/*.test.ts',
            'tools/**/*.test.ts',
            'test/{meta,scenarios,replay,deploy}/**/*.test.ts',
          ],
          exclude: ['**/*.kernel.test.ts'],
          // Files share a process: modules here keep no state, and a process per file would take three times as long.
          isolate: false,
          testTimeout: 20_000,
          expect: { poll: { timeout: 10_000 } },
        },
      },
      {
        test: {
          name: 'kernel',
          include: [
            'src/**/*.kernel.test.ts',
            'test/{kernel,e2e,conformance}/**/*.test.ts',
            'test/deploy/**/*.kernel.test.ts',
          ],
          fileParallelism: false,
          testTimeout: 60_000,
          expect: { poll: { timeout: 20_000 } },
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
