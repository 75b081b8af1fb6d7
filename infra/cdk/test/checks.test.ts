// Both stages are clean: no finding of our own rules, none of cdk-nag that is not acknowledged with a reason.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { KEPT, KEPT_IN_DEV, pathOf } from '../lib/acknowledgements.ts';
import { ROOT } from '../lib/names.ts';
import { findings, repository } from '../lib/rules/index.ts';
import { DEPLOYED_STAGES, readSettings, settingsJson } from '../lib/settings.ts';
import { changedSettings, stage, synthesize } from './support.ts';

/** Longest file of a function: its trigger and its permissions. */
const FUNCTION_LINES_MAX = 60;

for (const name of DEPLOYED_STAGES) {
  describe(`checks of ${name}`, () => {
    const { built, templates } = stage(name);

    test('our rules find nothing', () => {
      assert.deepEqual(findings(templates, repository()), []);
    });

    for (const Pack of [AwsSolutionsChecks, ServerlessChecks]) {
      test(`${Pack.name} of cdk-nag find nothing that is not acknowledged`, () => {
        const reports = [built.stateful, built.processing].map((stack) => new Pack().validateScope(stack));
        const found = reports.flatMap(({ violations }) =>
          violations.flatMap(({ ruleName, violatingResources }) =>
            violatingResources.map(({ resourceLogicalId }) => `${ruleName} at ${resourceLogicalId}`),
          ),
        );
        assert.deepEqual(found, []);
        assert.ok(reports.every(({ success }) => success));
      });
    }
  });
}

describe('what is kept', () => {
  test('hides nothing else: an open bucket, planted, is found', () => {
    const { built } = synthesize('dev');
    new Bucket(built.stateful, 'Open');
    const { violations } = new AwsSolutionsChecks().validateScope(built.stateful);
    assert.deepEqual(violations.map(({ ruleName }) => ruleName).sort(), ['AwsSolutions-S1', 'AwsSolutions-S10']);
  });

  test('is there: an acknowledgement that fits nothing is removed', () => {
    const { built } = stage('dev');
    const paths = [...built.stateful.node.findAll(), ...built.processing.node.findAll()].map(pathOf);
    const stale = [...KEPT, ...KEPT_IN_DEV].filter(({ where }) => !paths.some((path) => where.test(path)));
    assert.deepEqual(stale, []);
  });
});

describe('the settings', () => {
  test('a number without a reason stops the synthesis', () => {
    const settings = changedSettings((file) => delete file.aurora.maximum_acu.reason);
    assert.throws(() => synthesize('dev', settings), /aurora\.maximum_acu\.reason: say why/);
  });

  test('a placeholder that nobody knows stops the synthesis', () => {
    const settings = changedSettings((file) => (file.functions['migrate-schema'].environment.ORDERFLOW_DATABASE = '${database.nam}'));
    assert.throws(() => synthesize('dev', settings), /environment\.ORDERFLOW_DATABASE: nothing is named database\.nam/);
  });

  test('a stage of this machine is not deployed', () => {
    assert.throws(() => readSettings('local'), /stage local is not deployed; write -c stage=dev or -c stage=prod/);
  });
});

describe('the files of the functions', () => {
  test('are named like the functions, and are short', () => {
    const folder = join(ROOT, 'infra/cdk/lib/functions');
    const names = Object.keys(settingsJson()['functions'] as object).map((name) => `${name}.ts`);
    assert.deepEqual(readdirSync(folder).sort(), names.sort());
    for (const name of names) {
      const lines = readFileSync(join(folder, name), 'utf8').split('\n').length;
      assert.ok(lines <= FUNCTION_LINES_MAX, `${name} has ${lines} lines; ${FUNCTION_LINES_MAX} at most`);
    }
  });
});
