// What several tests need: the generated files, and the programs that judge them.

import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The folder of this package. */
export const FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** Runs a program in this folder; its output, or an error with it. */
export function run(program: string, ...parameters: string[]): string {
  const { error, status, stdout, stderr } = spawnSync(program, parameters, { cwd: FOLDER, encoding: 'utf8' });
  if (error)
    throw new Error(`cannot start ${program}: on Debian or Ubuntu, apt install prometheus prometheus-alertmanager`, {
      cause: error,
    });
  if (status !== 0) throw new Error(`${program} ${parameters.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout + stderr;
}

/** The files of a folder that git knows, or would take, from this folder. */
export function committed(folder: string): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', folder], {
    cwd: FOLDER,
    encoding: 'utf8',
  });
  return listed.split('\n').filter((path) => path !== '');
}
