// The bucket of meal images: private, read by the CDN alone. Whoever puts images there names each by its content
// (infra/runbooks/meal-images.md), so that a key never changes what it means and may be cached for a year.

import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { named } from '../names.ts';
import type { Section } from '../settings.ts';

/** Creates the bucket. Its name carries the account, because bucket names are shared by the whole world. */
export function images(scope: Construct, settings: Section): s3.Bucket {
  const { account, region } = Stack.of(scope);
  const bucket = new s3.Bucket(scope, 'Images', {
    bucketName: `${named(settings.stage, 'images')}-${account}-${region}`,
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    // Everybody may see what is in it, so a key of our own would guard nothing, and the CDN would have to be let use it.
    encryption: s3.BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    versioned: true,
    lifecycleRules: [
      {
        noncurrentVersionExpiration: Duration.days(settings.section('cdn').number('replaced_image_days')),
        abortIncompleteMultipartUploadAfter: Duration.days(1),
      },
    ],
    removalPolicy: settings.stage === 'prod' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  });
  // Any distribution of this account, not ours by its id: that one is in the other stack, which must be free to go.
  bucket.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'Cdn',
      principals: [new iam.ServicePrincipal('cloudfront.amazonaws.com')],
      actions: ['s3:GetObject'],
      resources: [bucket.arnForObjects('images/*')],
      conditions: {
        StringEquals: { 'aws:SourceAccount': account },
        ArnLike: { 'aws:SourceArn': `arn:aws:cloudfront::${account}:distribution/*` },
      },
    }),
  );
  return bucket;
}
