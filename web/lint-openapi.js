// node lint-openapi.js <redocly.yaml> <document>...: prints the faults of the documents, and fails if
// there is any error or warning.

import { formatProblems, getTotals, lint, loadConfig } from '@redocly/openapi-core';

const [configPath, ...documents] = process.argv.slice(2);
const config = await loadConfig({ configPath });
for (const ref of documents) {
  const problems = await lint({ ref, config });
  const totals = getTotals(problems);
  formatProblems(problems, { format: 'codeframe', totals, version: '' });
  if (totals.errors + totals.warnings > 0) process.exitCode = 1;
}
