// Runs cfn-lint and checkov over the synthesized templates of both stages: `npm run lint`.
//
// The functions are dummies, so nothing has to be built. Both linters live in a virtual environment of the checkout,
// made when it is missing or when requirements.txt has changed. What is suppressed, and why, is in lib/suppressions.ts.
// Exits with 1 if anything is found.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROOT } from '../lib/names.ts';
import { DEPLOYED_STAGES, readSettings } from '../lib/settings.ts';
import { CFN_LINT_SUPPRESSED, CHECKOV_SUPPRESSED, type Suppressed } from '../lib/suppressions.ts';
import { stage } from '../test/support.ts';

const HERE = join(ROOT, 'infra/cdk');
const OUTPUT = join(HERE, 'cdk.out/lint');
const PYTHON = join(ROOT, '.orderflow/infra-lint');

/** A finding of a linter. */
interface Found {
  readonly id: string;
  readonly file: string;
  readonly where: string;
  readonly says: string;
}

/** Runs a program and returns its output; a program that does not start, or says why it failed, ends everything. */
function run(program: string, args: string[]): string {
  const { stdout, stderr, error, status } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    // checkov would ask its maker's site for guidelines.
    env: { ...process.env, LOG_LEVEL: 'ERROR', CHECKOV_RUN_SCA_PACKAGE_SCAN: 'false' },
  });
  if (error) throw error;
  if (status !== 0 && stdout.trim() === '') throw new Error(`${program} failed: ${stderr}`);
  return stdout;
}

/** The linters' virtual environment. */
function install(): void {
  const [wanted, installed] = [join(HERE, 'requirements.txt'), join(PYTHON, 'requirements.txt')];
  if (existsSync(installed) && readFileSync(installed, 'utf8') === readFileSync(wanted, 'utf8')) return;
  rmSync(PYTHON, { recursive: true, force: true });
  mkdirSync(join(ROOT, '.orderflow'), { recursive: true });
  console.log('installing cfn-lint and checkov …');
  inherit('python3', ['-m', 'venv', PYTHON]);
  inherit(join(PYTHON, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', wanted]);
  copyFileSync(wanted, installed);
}

function inherit(program: string, args: string[]): void {
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed`);
}

/** Writes the templates of all stages and returns their files. */
function synthesize(): string[] {
  rmSync(OUTPUT, { recursive: true, force: true });
  mkdirSync(OUTPUT, { recursive: true });
  return DEPLOYED_STAGES.flatMap((name) =>
    Object.entries(stage(name).templates).map(([stack, template]) => {
      const file = join(OUTPUT, `${name}-${stack}.template.json`);
      writeFileSync(file, JSON.stringify(template, null, 1));
      return file;
    }),
  );
}

/** Findings that nothing suppresses, and suppressions that nothing needs. */
function unsuppressed(found: Found[], suppressed: readonly Suppressed[]): string[] {
  const matches = ({ id, where }: Suppressed, finding: Found) => id === finding.id && where.test(finding.where);
  const left = found.filter((finding) => !suppressed.some((each) => matches(each, finding)));
  const stale = suppressed.filter((each) => !found.some((finding) => matches(each, finding)));
  return [
    ...left.map(({ id, file, where, says }) => `${id} ${file} ${where}: ${says}`),
    ...stale.map(({ id, where }) => `lib/suppressions.ts: nothing needs ${id} at ${where}; remove it`),
  ];
}

function cfnLint(files: string[]): string[] {
  const region = readSettings('dev').text('region');
  const output = run(join(PYTHON, 'bin/cfn-lint'), ['--format', 'json', '--regions', region, '--', ...files]);
  const all = JSON.parse(output || '[]') as { Filename: string; Rule: { Id: string }; Message: string; Location: any }[];
  const found = all.map(({ Filename, Rule, Message, Location }) => ({
    id: Rule.Id,
    file: basename(Filename),
    where: (Location.Path ?? []).join('/') as string,
    says: Message,
  }));
  return unsuppressed(found, CFN_LINT_SUPPRESSED);
}

function checkov(): string[] {
  const where = ['--directory', OUTPUT, '--framework', 'cloudformation', '--skip-download'];
  const output = run(join(PYTHON, 'bin/checkov'), [...where, '--output', 'json', '--quiet', '--compact']);
  const { results, summary } = JSON.parse(output);
  if (summary.parsing_errors > 0 || summary.passed === 0) throw new Error('checkov could not read the templates');
  const found = results.failed_checks.map((check: Record<string, string>) => ({
    id: check['check_id'],
    file: basename(check['file_path']!),
    where: check['resource'],
    says: check['check_name'],
  }));
  return unsuppressed(found, CHECKOV_SUPPRESSED);
}

function timed(name: string, work: () => string[]): string[] {
  const start = Date.now();
  const found = work();
  console.log(`${name}: ${found.length} findings, ${((Date.now() - start) / 1000).toFixed(1)} s`);
  for (const finding of found) console.log(`  ${finding}`);
  return found;
}

install();
const files = synthesize();
const found = [...timed('cfn-lint', () => cfnLint(files)), ...timed('checkov', checkov)];
process.exitCode = found.length === 0 ? 0 : 1;
