/** Figures and the table that shows them: Markdown, so that it can be kept in the documentation as it is. */

/** One line of a table. */
export interface Row {
  what: string;
  /** The figure as text, with its unit. */
  measured: string;
  /** What it is compared with, as text. */
  comparedWith?: string;
  /** The figure, or its ratio to what it is compared with. */
  value?: number;
  /** The most that `value` may be. */
  goal?: number;
  /** How goal and value are written: `x` for ratios, else a unit. */
  unit?: string;
}

/** The middle value; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const [low = NaN, high = NaN] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]];
  return (low + high) / 2;
}

/** Milliseconds as text: `31.4 ms`, `1.24 s`. */
export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toFixed(1)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/** A ratio of two times against its goal. */
export function ratio(what: string, ours: number, other: [name: string, time: number], goal?: number): Row {
  const comparedWith = `${other[0]}, ${duration(other[1])}`;
  return {
    what,
    measured: duration(ours),
    comparedWith,
    value: ours / other[1],
    unit: "x",
    ...(goal === undefined ? {} : { goal }),
  };
}

/** Prints the table under the machine's cores and the date; returns the names of the goals that were missed. */
export function printTable(title: string, rows: readonly Row[], header: string): string[] {
  const cores = navigator.hardwareConcurrency;
  const date = new Date().toISOString().slice(0, 10);
  const kernel = Deno.osRelease().split("-")[0];
  console.log(`\n${title} (${date}, ${cores} cores, Linux ${kernel}, Deno ${Deno.version.deno})\n`);
  const lines = [
    ["what", header, "compared with", "ratio", "goal", "reached"],
    ["---", "---", "---", "---", "---", "---"],
    ...rows.map(cells),
  ];
  const widths = lines[0]?.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0))) ?? [];
  for (const line of lines) console.log(`| ${line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`);
  return rows.filter((row) => reached(row) === false).map(({ what }) => what);
}

function cells(row: Row): string[] {
  const { what, measured, comparedWith = "", value, goal, unit = "" } = row;
  const shown = unit === "x" && value !== undefined ? `${value.toFixed(2)}x` : "";
  const limit = goal === undefined ? "" : unit === "x" ? `${goal.toFixed(1)}x` : `${goal} ${unit}`;
  const verdict = reached(row);
  return [what, measured, comparedWith, shown, limit, verdict === undefined ? "" : verdict ? "yes" : "**no**"];
}

function reached({ value, goal }: Row): boolean | undefined {
  return value === undefined || goal === undefined ? undefined : value <= goal;
}
