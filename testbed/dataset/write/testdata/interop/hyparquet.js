// hyparquet.js FILE.parquet: prints the rows as CSV; a reader that shares no code with any other.
const fs = require('fs');

(async () => {
  const { parquetReadObjects } = await import(require('path').join(process.env.NODE_PATH, 'hyparquet', 'src', 'node.js'));
  const b = fs.readFileSync(process.argv[2]);
  const file = b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength);
  const rows = await parquetReadObjects({ file });
  const out = [Object.keys(rows[0]).join(',')];
  for (const row of rows) out.push(Object.values(row).map((v) => (v === null || v === undefined ? '' : String(v))).join(','));
  fs.writeSync(1, out.join('\n') + '\n');
})().catch((e) => { console.error(e); process.exit(1); });
