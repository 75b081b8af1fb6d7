// Rules of the CDN: nothing behind it can be reached past it, and it keeps the catalog no longer than the function says.

import { resources, settingName, target, type Templates } from './model.ts';

/** A function's URL takes signed requests only, and not from everybody. */
export function urlsDemandSignatures(templates: Templates): string[] {
  const open = resources(templates, 'AWS::Lambda::Url')
    .filter(({ properties }) => properties.AuthType !== 'AWS_IAM')
    .map((url) => `functions.${nameAt(templates, url.stack, url.properties.TargetFunctionArn)}.function_url: takes unsigned requests`);
  const granted = resources(templates, 'AWS::Lambda::Permission')
    .filter(({ properties }) => properties.Principal === '*' || properties.SourceArn === undefined)
    .map((grant) => `functions.${nameAt(templates, grant.stack, grant.properties.FunctionName)}.function_url: ${grant.id} lets in more than one caller`);
  return [...open, ...granted];
}

/** Every origin of a distribution is asked with a signature; a bucket would else have to be public. */
export function originsAreSigned(templates: Templates): string[] {
  return resources(templates, 'AWS::CloudFront::Distribution').flatMap(({ stack, id, properties }) =>
    properties.DistributionConfig.Origins.filter((origin: any) => {
      const access = target(templates, stack, origin.OriginAccessControlId);
      return access?.properties.OriginAccessControlConfig.SigningBehavior !== 'always';
    }).map((origin: any) => `cdn: ${id} asks its origin ${origin.Id} without a signature`),
  );
}

/** Buckets are private, and refuse plain text. */
export function bucketsArePrivate(templates: Templates): string[] {
  const policies = resources(templates, 'AWS::S3::BucketPolicy');
  return resources(templates, 'AWS::S3::Bucket').flatMap(({ stack, id, properties }) => {
    const block = properties.PublicAccessBlockConfiguration ?? {};
    const shut = ['BlockPublicAcls', 'BlockPublicPolicy', 'IgnorePublicAcls', 'RestrictPublicBuckets'];
    const own = policies.filter((policy) => target(templates, policy.stack, policy.properties.Bucket)?.id === id && policy.stack === stack);
    const statements = own.flatMap((policy) => policy.properties.PolicyDocument.Statement);
    const tls = statements.some(({ Effect, Condition }: any) => Effect === 'Deny' && Condition?.Bool?.['aws:SecureTransport'] === 'false');
    const unconditional = statements.some(({ Effect, Condition }: any) => Effect === 'Allow' && Condition?.StringEquals?.['aws:SourceAccount'] === undefined);
    return [
      ...(shut.every((way) => block[way] === true) ? [] : [`the bucket ${id}: may be made public`]),
      ...(tls ? [] : [`the bucket ${id}: no policy refuses requests without TLS`]),
      ...(unconditional ? [`the bucket ${id}: its policy lets in another account's distributions`] : []),
    ];
  });
}

/**
 * The CDN keeps what comes from a function for as long as the function says: no minimum, or it would keep what must not be
 * kept; and a maximum that does not cut short what the settings promise.
 */
export function catalogIsCachedAsTold(templates: Templates): string[] {
  return resources(templates, 'AWS::Lambda::Function').flatMap((lambda) => {
    const told = lambda.properties.Environment?.Variables ?? {};
    const seconds = (name: string) => Number(told[`ORDERFLOW_${name}_S`] ?? 0);
    const longest = seconds('SHARED_MAX_AGE') + seconds('STALE_WHILE_REVALIDATE') + seconds('STALE_IF_ERROR');
    if (longest === 0) return [];
    return resources(templates, 'AWS::CloudFront::CachePolicy').flatMap(({ id, properties }) => {
      const { MinTTL, DefaultTTL, MaxTTL } = properties.CachePolicyConfig;
      return [
        ...(MinTTL === 0 && DefaultTTL === 0 ? [] : [`cdn: ${id} keeps what ${settingName(lambda)} says must not be kept`]),
        ...(MaxTTL >= longest ? [] : [`cdn: ${id} ends after ${MaxTTL} s what may be kept for ${longest} s`]),
      ];
    });
  });
}

/** The name of a function, by itself or by its URL. */
function nameAt(templates: Templates, stack: string, value: unknown): string {
  const found = target(templates, stack, value);
  if (found?.type === 'AWS::Lambda::Url') return nameAt(templates, found.stack, found.properties.TargetFunctionArn);
  return settingName(found);
}
