/** Steps on a terminal: what is done, how long it took, what came of it. Colours only where somebody can see them. */

const terminal = Deno.stdout.isTerminal();
const coloured = terminal && !Deno.env.get("NO_COLOR");
/** Columns of a title. */
const WIDTH = 34;

/** Milliseconds as seconds: `0.42 s`. */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

export function green(text: string): string {
  return paint(32, text);
}

export function red(text: string): string {
  return paint(31, text);
}

export function bold(text: string): string {
  return paint(1, text);
}

export function dim(text: string): string {
  return paint(2, text);
}

function paint(code: number, text: string): string {
  return coloured ? `\x1b[${code}m${text}\x1b[0m` : text;
}

/** Prints a heading. */
export function heading(text: string): void {
  console.log(`\n${bold(text)}`);
}

/** Does one step and prints it on one line; `work` returns what there is to say about it. Throws what `work` throws. */
export async function step(title: string, work: () => Promise<string | void>): Promise<void> {
  const start = performance.now();
  if (terminal) await Deno.stdout.write(new TextEncoder().encode(`   ... ${title}\r`));
  const finish = (mark: string, text: string) => {
    const time = seconds(performance.now() - start).padStart(7);
    console.log(`${terminal ? "\r\x1b[K" : ""}  ${mark} ${dim(time)}  ${text}`);
  };
  try {
    const said = await work() ?? "";
    finish(green("ok  "), `${title.padEnd(said === "" ? 0 : WIDTH)}${said}`);
  } catch (error) {
    finish(red("FAIL"), title);
    throw error;
  }
}
