//! A user's data: export and deletion.

use rpc::RpcError;
use serde::{Deserialize, Serialize};
use sync::users::{self, Cursor, Deletion, Export};
use ts_rs::TS;

use super::input::Nothing;
use crate::state::Caller;

#[derive(Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields, default)]
#[ts(optional_fields)]
pub struct ExportDataInput {
    /// The `nextCursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// `calendar.google.exportData`: one page of all data stored about the user.
pub async fn export_data(caller: Caller, input: ExportDataInput) -> Result<Export, RpcError> {
    let cursor = input
        .cursor
        .map(|text| {
            Cursor::decode(&text)
                .ok_or_else(|| RpcError::invalid("cursor", "expected the `nextCursor` of a page"))
        })
        .transpose()?;
    Ok(users::export(&caller.state.sync, &caller.user, cursor).await?)
}

#[derive(Debug, Serialize, TS)]
pub struct DeleteData {
    success: bool,
    #[serde(flatten)]
    deletion: Deletion,
}

/// `calendar.google.deleteData`: disconnects all accounts of the user and deletes all data about the user from Calwire. The
/// events in Google are unchanged.
pub async fn delete_data(caller: Caller, _: Nothing) -> Result<DeleteData, RpcError> {
    let state = &caller.state;
    let deletion = users::delete(&state.sync, &state.broker, &caller.user).await?;
    state.reader.forget_user(&caller.user);
    Ok(DeleteData {
        success: true,
        deletion,
    })
}
