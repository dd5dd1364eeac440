//! The reading of requests: one HTTP/1.1 request per connection, within limits. What it asks for is not known here.
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};

/// Largest request head. The longest real one carries a certificate as hex, about 2.5 kB.
const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 32;

/// Read a request from `stream` and send what `answer` makes of it. The request's head must be there after `patience`.
///
/// # Errors
/// What is no HTTP, is beyond the limits or comes too late, and whatever befalls the connection.
pub async fn converse<S, A>(
    stream: S,
    patience: Duration,
    answer: impl Fn(Request<Incoming>) -> A,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    A: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(|request| {
        let answering = answer(request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .await
}
