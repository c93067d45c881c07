// duckdb.js DIR OUT.csv: reads all homes of a data set as one table, and writes it as CSV.
const { DuckDBInstance } = require('@duckdb/node-api');

(async () => {
  const [dir, out] = process.argv.slice(2);
  const db = await (await DuckDBInstance.create(':memory:')).connect();
  await db.run(`COPY (
      SELECT home::BIGINT AS home, * EXCLUDE (home) FROM read_parquet('${dir}/home=*/packets.parquet', hive_partitioning = true) ORDER BY home, frame
    ) TO '${out}' (HEADER, DELIMITER ',')`);
  const reader = await db.runAndReadAll(
    `SELECT device, activity, count(*)::INT AS n, count(t_end_ns)::INT AS ended FROM read_parquet('${dir}/home=*/events.parquet') GROUP BY ALL ORDER BY ALL`);
  for (const row of reader.getRowObjects()) console.log(`${row.device},${row.activity},${row.n},${row.ended}`);
})().catch((e) => { console.error(e); process.exit(1); });
