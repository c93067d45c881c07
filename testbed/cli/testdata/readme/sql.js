// sql.js QUERY.sql: has DuckDB run a query, and prints its answer as CSV.
const fs = require('fs');
const { DuckDBInstance } = require('@duckdb/node-api');

(async () => {
  const db = await (await DuckDBInstance.create(':memory:')).connect();
  const reader = await db.runAndReadAll(fs.readFileSync(process.argv[2], 'utf8'));
  console.log(reader.columnNames().join(','));
  for (const row of reader.getRows()) console.log(row.join(','));
})().catch((e) => { console.error(e); process.exit(1); });
