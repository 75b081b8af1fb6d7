//! From a function URL's event (payload format 2.0) to what is asked, or to why it is refused.

use aws_lambda_events::http::HeaderMap;
use aws_lambda_events::http::header::IF_NONE_MATCH;
use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest;
use order::Sku;
use percent_encoding::percent_decode_str;

/// Where the list is; single products are below it.
const LIST: &str = "/catalog";

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What is to be shown.
    pub wanted: Wanted,
    /// Whether only the header is asked for (`HEAD`).
    pub head: bool,
    /// The entity tags of `If-None-Match`, as they came.
    pub known: Vec<String>,
}

/// What is to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// `GET /catalog`: a page of products.
    List {
        /// `?after=SKU`: the last one of the page before.
        after: Option<Sku>,
    },
    /// `GET /catalog/SKU`: one product.
    Item {
        /// Which one.
        sku: Sku,
    },
}

impl Wanted {
    /// One word for a log line.
    #[must_use]
    pub fn route(&self) -> &'static str {
        match self {
            Self::List { .. } => "list",
            Self::Item { .. } => "item",
        }
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is nothing at its path.
    Path,
    /// Only `GET` and `HEAD` are answered.
    Method,
    /// What stands in place of an SKU can be none.
    Sku,
}

/// Reads a request. Parameters that mean nothing here are ignored, as the CDN does not pass them on.
///
/// # Errors
/// Why it is refused; the path comes first, then the method.
pub fn read(request: &LambdaFunctionUrlRequest) -> Result<Asked, Refused> {
    let path = request.raw_path.as_deref().unwrap_or_default();
    let item = match path.strip_prefix(LIST) {
        Some("") => None,
        Some(below) => Some(below.strip_prefix('/').filter(|sku| !sku.is_empty()).ok_or(Refused::Path)?),
        None => return Err(Refused::Path),
    };
    let head = match request.request_context.http.method.as_deref() {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Err(Refused::Method),
    };
    let wanted = match item {
        Some(text) => Wanted::Item { sku: sku(text)? },
        None => {
            let after = request.query_string_parameters.get("after");
            Wanted::List { after: after.map(|text| sku(text)).transpose()? }
        }
    };
    Ok(Asked { wanted, head, known: entity_tags(&request.headers) })
}

/// Encoded or not: no SKU contains a per cent sign, so decoding what is decoded already changes nothing.
fn sku(text: &str) -> Result<Sku, Refused> {
    let decoded = percent_decode_str(text).decode_utf8().ok();
    decoded.and_then(|text| Sku::parse(&text).ok()).ok_or(Refused::Sku)
}

/// The tags of `If-None-Match`. Ours contain no comma, so a foreign tag that does is merely none of ours.
fn entity_tags(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|tag| tag.trim().to_owned()).collect()
}
