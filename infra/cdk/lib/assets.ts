// The functions' code: what `cargo lambda build` left in target/lambda. Nothing is compiled here.
//
// Both architectures are built into the same place, so the program's own header is looked at: a function built for the
// laptop must not be deployed as one for arm64.

import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { ROOT } from './names.ts';

/** The machine field of an ELF header, by architecture. */
const ELF_MACHINES = { arm64: 0xb7, x86_64: 0x3e } as const;
const ELF_MACHINE_AT = 18;

/** What functions can be built for. arm64 is cheaper by a fifth and is what AWS is given unless somebody says otherwise. */
export type Architecture = keyof typeof ELF_MACHINES;

/** Where functions are, built. */
export class Assets {
  readonly architecture: lambda.Architecture;

  constructor(
    private readonly target: Architecture,
    private readonly folder: string = join(ROOT, 'target/lambda'),
  ) {
    if (!(target in ELF_MACHINES)) throw new Error(`architecture ${target}: write arm64 or x86_64`);
    this.architecture = target === 'arm64' ? lambda.Architecture.ARM_64 : lambda.Architecture.X86_64;
  }

  /** The function's program: a folder with `bootstrap`, or the same zipped. */
  code(name: string): lambda.Code {
    const zipped = join(this.folder, name, 'bootstrap.zip');
    if (existsSync(zipped)) return lambda.Code.fromAsset(zipped);
    const program = join(this.folder, name, 'bootstrap');
    if (!existsSync(program)) {
      throw new Error(`${program} is missing; run \`${this.buildCommand}\` in the root of the repository first`);
    }
    if (machine(program) !== ELF_MACHINES[this.target]) {
      throw new Error(`${program} is not built for ${this.target}; run \`${this.buildCommand}\`, or give -c architecture=…`);
    }
    return lambda.Code.fromAsset(join(this.folder, name));
  }

  private get buildCommand(): string {
    return `cargo lambda build --release${this.target === 'arm64' ? ' --arm64' : ''}`;
  }
}

function machine(program: string): number {
  const header = Buffer.alloc(ELF_MACHINE_AT + 2);
  const file = openSync(program, 'r');
  readSync(file, header, 0, header.length, 0);
  closeSync(file);
  return header.readUInt16LE(ELF_MACHINE_AT);
}
