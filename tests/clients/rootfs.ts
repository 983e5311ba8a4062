/** The file system of a container, with nothing but a static busybox. */

/** Makes the file system in a new folder. */
export async function makeRootfs(folder: string): Promise<void> {
  for (const name of ["bin", "dev", "etc", "proc", "sys", "tmp"]) {
    await Deno.mkdir(`${folder}/${name}`, { recursive: true });
  }
  await Deno.copyFile("/bin/busybox", `${folder}/bin/busybox`);
  for (const applet of ["cat", "ip", "nc", "ping", "sh", "sleep"]) {
    await Deno.symlink("busybox", `${folder}/bin/${applet}`);
  }
}
