//! What the safe client hides: the persistence status of a message, and headers whose name is not UTF-8 (which it would panic on).
//!
//! The only module with `unsafe`.
#![allow(unsafe_code)]

use rdkafka::bindings::{
    rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_message_headers, rd_kafka_message_status,
    rd_kafka_msg_status_t, rd_kafka_resp_err_t,
};
use rdkafka::message::BorrowedMessage;
use std::ffi::{CStr, c_char, c_void};
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
