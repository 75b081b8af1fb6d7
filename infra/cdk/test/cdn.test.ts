// The CDN: who may reach what is behind it, and how long it keeps what.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { DEPLOYED_STAGES, readSettings } from '../lib/settings.ts';
import { stage } from './support.ts';

for (const name of DEPLOYED_STAGES) {
  describe(`the CDN of ${name}`, () => {
    const { built } = stage(name);
    const [stateful, processing] = [Template.fromStack(built.stateful), Template.fromStack(built.processing)];
    const settings = readSettings(name).section('cdn');

    test('is the only caller of the function that shows the catalog', () => {
      processing.hasResourceProperties('AWS::Lambda::Url', { AuthType: 'AWS_IAM' });
      const distribution = Object.keys(processing.findResources('AWS::CloudFront::Distribution'))[0];
      const source = { 'Fn::Join': ['', Match.arrayWith([{ Ref: distribution }])] };
      for (const grant of [{ Action: 'lambda:InvokeFunctionUrl' }, { Action: 'lambda:InvokeFunction', InvokedViaFunctionUrl: true }]) {
        processing.hasResourceProperties('AWS::Lambda::Permission', { ...grant, Principal: 'cloudfront.amazonaws.com', SourceArn: source });
      }
      processing.resourceCountIs('AWS::Lambda::Permission', 2);
    });

    test('keeps the catalog as the function says, by its page alone', () => {
      processing.hasResourceProperties('AWS::CloudFront::CachePolicy', {
        CachePolicyConfig: {
          MinTTL: 0,
          DefaultTTL: 0,
          MaxTTL: ['shared_max_age_s', 'stale_while_revalidate_s', 'stale_if_error_s'].reduce((sum, each) => sum + settings.number(each), 0),
          ParametersInCacheKeyAndForwardedToOrigin: {
            QueryStringsConfig: { QueryStringBehavior: 'whitelist', QueryStrings: ['after'] },
            HeadersConfig: { HeaderBehavior: 'none' },
            CookiesConfig: { CookieBehavior: 'none' },
          },
        },
      });
    });

    test('takes GET and HEAD over TLS, the catalog from the function and all else from the bucket', () => {
      const [distribution] = Object.values(processing.findResources('AWS::CloudFront::Distribution')) as any[];
      const { DefaultCacheBehavior, CacheBehaviors, Origins, PriceClass, CustomErrorResponses } = distribution.Properties.DistributionConfig;
      assert.deepEqual(CacheBehaviors.map((each: any) => each.PathPattern), ['/catalog', '/catalog/*']);
      for (const behavior of [DefaultCacheBehavior, ...CacheBehaviors]) {
        assert.deepEqual(behavior.AllowedMethods, ['GET', 'HEAD']);
        assert.equal(behavior.ViewerProtocolPolicy, 'redirect-to-https');
        assert.ok(behavior.ResponseHeadersPolicyId);
      }
      const origin = (behavior: any) => Origins.find(({ Id }: any) => Id === behavior.TargetOriginId);
      assert.ok(origin(DefaultCacheBehavior).S3OriginConfig);
      assert.ok(CacheBehaviors.every((behavior: any) => origin(behavior).CustomOriginConfig.OriginProtocolPolicy === 'https-only'));
      assert.equal(PriceClass, settings.stagedText('price_class'));
      const ttl = (status: number) => CustomErrorResponses.find(({ ErrorCode }: any) => ErrorCode === status).ErrorCachingMinTTL;
      assert.deepEqual([ttl(404), ttl(503)], [0, settings.number('error_ttl_s')]);
    });

    test('alone reads the bucket of images, which keeps what was replaced for a while', () => {
      stateful.hasResource('AWS::S3::Bucket', {
        Properties: {
          VersioningConfiguration: { Status: 'Enabled' },
          LifecycleConfiguration: { Rules: [Match.objectLike({ NoncurrentVersionExpiration: { NoncurrentDays: settings.number('replaced_image_days') } })] },
        },
        DeletionPolicy: name === 'prod' ? 'Retain' : 'Delete',
      });
      const [policy] = Object.values(stateful.findResources('AWS::S3::BucketPolicy')) as any[];
      const allowed = policy.Properties.PolicyDocument.Statement.filter(({ Effect }: any) => Effect === 'Allow');
      assert.deepEqual(allowed.map(({ Action, Principal }: any) => [Action, Principal]), [['s3:GetObject', { Service: 'cloudfront.amazonaws.com' }]]);
    });
  });
}
