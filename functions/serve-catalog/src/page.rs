//! What is shown, as JSON: the bytes that are cached everywhere, so they say nothing that must not be.
//!
//! No stock: it changes with every order, and a number that is a minute old is worse than none.

use catalog::ListedProduct;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

/// How many products a page of the list has. A constant, and no parameter: the fewer addresses there are, the more often
/// the CDN has the answer.
pub const PRODUCTS_PER_PAGE: usize = 200;

/// Where the CDN has the bucket of images.
const IMAGES: &str = "/images/";

/// What stays as it is in a part of a path (RFC 3986, "unreserved").
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    products: Vec<Product<'a>>,
    /// Where the next page is; nothing on the last one.
    next: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Product<'a> {
    sku: &'a str,
    name: &'a str,
    price_minor: i64,
    currency: &'a str,
    /// Beside the catalog, on the same host.
    image_url: Option<String>,
    version: i64,
}

/// The first `page` of these products, and where the rest is.
#[must_use]
pub fn list(products: &[ListedProduct], page: usize) -> String {
    let (shown, rest) = products.split_at(products.len().min(page));
    let last = shown.last().filter(|_| !rest.is_empty());
    let next = last.map(|last| format!("/catalog?after={}", utf8_percent_encode(last.sku.as_str(), PART)));
    json(&Page { products: shown.iter().map(Product::from).collect(), next })
}

/// One product.
#[must_use]
pub fn item(product: &ListedProduct) -> String {
    json(&Product::from(product))
}

impl<'a> From<&'a ListedProduct> for Product<'a> {
    fn from(product: &'a ListedProduct) -> Self {
        let ListedProduct { sku, name, price_minor, currency, image_key, version } = product;
        Self {
            sku: sku.as_str(),
            name,
            price_minor: *price_minor,
            currency: currency.as_str(),
            image_url: image_key.as_deref().and_then(image_url),
            version: *version,
        }
    }
}

/// The address of an image; nothing for a key that would lead out of the folder of images.
fn image_url(key: &str) -> Option<String> {
    let parts: Vec<&str> = key.split('/').collect();
    if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return None;
    }
    let parts: Vec<String> =
        parts.into_iter().map(|part| utf8_percent_encode(part, PART).to_string()).collect();
    Some(format!("{IMAGES}{}", parts.join("/")))
}

/// Strings and numbers always serialize.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::image_url;

    #[track_caller]
    fn check(key: &str, expected: Option<&str>) {
        assert_eq!(image_url(key).as_deref(), expected, "{key}");
    }

    #[test]
    fn an_image_has_an_address_below_the_folder_of_images() {
        check("3b1f.avif", Some("/images/3b1f.avif"));
        check("kits/thai-curry.avif", Some("/images/kits/thai-curry.avif"));
        check("a b?c#d%2e", Some("/images/a%20b%3Fc%23d%252e"));
        check("crème.avif", Some("/images/cr%C3%A8me.avif"));
    }

    #[test]
    fn a_key_that_leads_elsewhere_has_none() {
        check("../catalog", None);
        check("a/../../b", None);
        check("/a", None);
        check("a//b", None);
        check(".", None);
    }
}
