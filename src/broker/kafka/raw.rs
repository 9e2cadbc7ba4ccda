//! What the safe client hides: the persistence status of a message, and headers whose name is not UTF-8 (which it would panic on).
//!
//! The only module with `unsafe`.
#![allow(unsafe_code)]

use rdkafka::bindings::{
    rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_message_headers, rd_kafka_message_status,
    rd_kafka_msg_status_t, rd_kafka_resp_err_t,
};
use rdkafka::bindings::{rd_kafka_oauthbearer_set_token, rd_kafka_test_fatal_error};
use rdkafka::client::{Client, ClientContext, OAuthToken};
use rdkafka::message::BorrowedMessage;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

/// librdkafka's own word on whether a message may be in the log (INTRODUCTION.md, "Message persistence status").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistence {
    /// Certainly not in the log.
    Not,
    /// Sent, and the answer is not known.
    Possibly,
    /// Acknowledged as asked for.
    Persisted,
}

pub(super) fn persistence(message: &BorrowedMessage<'_>) -> Persistence {
    // SAFETY: the pointer is that of a live message, which `message` borrows.
    match unsafe { rd_kafka_message_status(message.ptr()) } {
        rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED => Persistence::Not,
        rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED => Persistence::Possibly,
        rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_PERSISTED => Persistence::Persisted,
    }
}

/// All headers, in order.
pub(super) fn headers<'m>(message: &'m BorrowedMessage<'_>) -> Vec<(&'m [u8], Option<&'m [u8]>)> {
    let mut all = Vec::new();
    let mut list: *mut rd_kafka_headers_t = ptr::null_mut();
    // SAFETY: the message is live; the list that comes back belongs to it and lives as long.
    let error = unsafe { rd_kafka_message_headers(message.ptr(), &mut list) };
    if error != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return all;
    }
    for i in 0.. {
        let (mut name, mut value, mut size): (*const c_char, *const c_void, usize) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the list is live; an index beyond its end is answered with an error.
        let error = unsafe { rd_kafka_header_get_all(list, i, &mut name, &mut value, &mut size) };
        if error != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
            break;
        }
        // SAFETY: the name is NUL-terminated and the value has `size` bytes; both belong to the message.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        let value = (!value.is_null()).then(|| unsafe { std::slice::from_raw_parts(value.cast::<u8>(), size) });
        all.push((name, value));
    }
    all
}

/// Makes a client fail for good, as an answer of a broker that leaves no other way does. Only for tests.
pub(super) fn kill<C: ClientContext>(client: &Client<C>) {
    let code = rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    // SAFETY: the client is live, and the words are NUL-terminated and copied.
    let error = unsafe { rd_kafka_test_fatal_error(client.native_ptr(), code, c"planted by a test".as_ptr()) };
    tracing::info!("a fatal error was planted: {error:?}");
}

/// Gives a client its token for SASL OAUTHBEARER before it asks.
pub(super) fn set_token<C: ClientContext>(client: &Client<C>, token: &OAuthToken) -> Result<(), String> {
    let text = CString::new(token.token.as_str()).map_err(|e| e.to_string())?;
    let principal = CString::new(token.principal_name.as_str()).map_err(|e| e.to_string())?;
    let mut why: [c_char; 512] = [0; 512];
    // SAFETY: the client is live, the texts are NUL-terminated and copied, no extension is given, and the reason stays in its array.
    let error = unsafe {
        rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            text.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            ptr::null_mut(),
            0,
            why.as_mut_ptr(),
            why.len(),
        )
    };
    if error == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    // SAFETY: librdkafka ends what it writes there with a NUL, and the array began as zeros.
    Err(unsafe { CStr::from_ptr(why.as_ptr()) }.to_string_lossy().into_owned())
}
