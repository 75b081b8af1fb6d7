// The CDN: meal images from their bucket and the catalog from serve-catalog, on one host, both reached by signed requests
// alone (origin access control).
//
// It keeps the catalog for as long as the function's Cache-Control says, stale-while-revalidate and stale-if-error
// included, and an image for as long as was said when it was put into the bucket. It writes no access log: that would be
// the addresses of everybody who looks at a meal.

import { CfnOutput, Duration } from 'aws-cdk-lib';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import * as origins from 'aws-cdk-lib/aws-cloudfront-origins';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { named } from '../names.ts';
import type { Section } from '../settings.ts';

/** What the CDN is in front of. */
export interface CdnProps {
  readonly settings: Section;
  readonly images: s3.IBucket;
  readonly catalog: lambda.IFunctionUrl;
}

/** Statuses that say the function failed, and not the viewer. */
const FAILURES = [500, 502, 503, 504];

/** One distribution. Its host name is printed by a deploy. */
export class Cdn extends Construct {
  readonly distribution: cloudfront.Distribution;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: CdnProps,
  ) {
    super(scope, id);
    const cdn = props.settings.section('cdn');
    const shared = {
      viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
      allowedMethods: cloudfront.AllowedMethods.ALLOW_GET_HEAD,
      cachedMethods: cloudfront.CachedMethods.CACHE_GET_HEAD,
      responseHeadersPolicy: this.securityHeaders(),
      compress: true,
    };
    const catalog = {
      ...shared,
      origin: origins.FunctionUrlOrigin.withOriginAccessControl(props.catalog),
      cachePolicy: this.catalogCache(cdn),
    };
    this.distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: named(props.settings.stage, 'cdn'),
      // Whatever is not the catalog costs no invocation.
      defaultBehavior: { ...shared, origin: this.imagesOrigin(), cachePolicy: cloudfront.CachePolicy.CACHING_OPTIMIZED },
      additionalBehaviors: { '/catalog': catalog, '/catalog/*': catalog },
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      minimumProtocolVersion: cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
      priceClass: cdn.stagedText('price_class') as cloudfront.PriceClass,
      errorResponses: [
        // As long as the answer says; without this, ten seconds at least.
        { httpStatus: 404, ttl: Duration.seconds(0) },
        ...FAILURES.map((httpStatus) => ({ httpStatus, ttl: Duration.seconds(cdn.number('error_ttl_s')) })),
      ],
    });
    new CfnOutput(this, 'Host', { value: this.distribution.distributionDomainName });
  }

  /** By its name only: the bucket's own policy, in its own stack, lets us in. */
  private imagesOrigin(): cloudfront.IOrigin {
    const { bucketName, bucketRegionalDomainName } = this.props.images;
    const bucket = s3.Bucket.fromBucketAttributes(this, 'Images', { bucketName, bucketRegionalDomainName });
    const originAccessControl = new cloudfront.S3OriginAccessControl(this, 'ImagesAccess', {
      signing: cloudfront.Signing.SIGV4_ALWAYS,
    });
    return origins.S3BucketOrigin.withOriginAccessControl(bucket, { originAccessControl });
  }

  /** What the function says holds: nothing is kept for longer, and nothing for longer than an outage may last. */
  private catalogCache(cdn: Section): cloudfront.CachePolicy {
    const most = ['shared_max_age_s', 'stale_while_revalidate_s', 'stale_if_error_s'] as const;
    return new cloudfront.CachePolicy(this, 'CatalogCache', {
      cachePolicyName: named(this.props.settings.stage, 'catalog'),
      minTtl: Duration.seconds(0),
      defaultTtl: Duration.seconds(0),
      maxTtl: Duration.seconds(most.reduce((sum, name) => sum + cdn.number(name), 0)),
      queryStringBehavior: cloudfront.CacheQueryStringBehavior.allowList('after'),
      headerBehavior: cloudfront.CacheHeaderBehavior.none(),
      cookieBehavior: cloudfront.CacheCookieBehavior.none(),
      enableAcceptEncodingGzip: true,
      enableAcceptEncodingBrotli: true,
    });
  }

  private securityHeaders(): cloudfront.ResponseHeadersPolicy {
    return new cloudfront.ResponseHeadersPolicy(this, 'SecurityHeaders', {
      responseHeadersPolicyName: named(this.props.settings.stage, 'security'),
      securityHeadersBehavior: {
        contentSecurityPolicy: { contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'", override: true },
        contentTypeOptions: { override: true },
        frameOptions: { frameOption: cloudfront.HeadersFrameOption.DENY, override: true },
        referrerPolicy: { referrerPolicy: cloudfront.HeadersReferrerPolicy.NO_REFERRER, override: true },
        strictTransportSecurity: { accessControlMaxAge: Duration.days(365), includeSubdomains: true, override: true },
      },
    });
  }
}
