use insta::assert_snapshot;
use serde::{Deserialize, Serialize};

use super::*;
use crate::RpcError;

#[derive(Deserialize, TS)]
#[ts(optional_fields)]
struct Ask {
    /// How many.
    #[serde(default)]
    #[ts(as = "Option<u32>")]
    _limit: u32,
}

#[derive(Deserialize, TS)]
#[serde(deny_unknown_fields)]
struct Need {
    _id: String,
}

#[derive(Deserialize, TS)]
struct Nothing {}

/// The remaining items.
///
/// Counted on each call.
#[derive(Serialize, TS)]
struct Left {
    count: i64,
    news: Option<News>,
    of: Vec<Part>,
}

#[derive(Serialize, TS)]
struct Part {
    id: String,
    r#type: Option<String>,
}

#[derive(Serialize, TS)]
struct News {
    v: u8,
    #[serde(flatten)]
    what: What,
}

#[derive(Serialize, TS)]
#[serde(tag = "type", rename_all = "camelCase")]
#[expect(dead_code, reason = "only its shape is used")]
enum What {
    /// ts-rs drops the docs of variants.
    Came {
        /// The subject.
        who: String,
    },
    WentAway {},
}

async fn left<I: Send>((): (), _: I) -> Result<Left, RpcError> {
    unreachable!()
}

fn router() -> Router<()> {
    Router::new()
        .query("a.ask", left::<Ask>)
        .query("a.b.need", left::<Need>)
        .mutation("z.nothing", left::<Nothing>)
}

#[test]
fn payloads_are_declared_once_with_their_dependencies() {
    let mut declarations = Declarations::of(&router());
    declarations.add::<What>();
    assert_snapshot!(declarations.module(), @r#"
    export type Ask = {
      /** How many. */
      _limit?: number | undefined;
    };

    /** A problem with an input. */
    export type InputIssue = {
      /** The field: `days`, `calendarIds[2]`, or empty for the input as a whole. */
      path: string;
      message: string;
    };

    /**
     * The remaining items.
     *
     * Counted on each call.
     */
    export type Left = {
      count: number;
      news: News | null;
      of: Array<Part>;
    };

    export type Need = {
      _id: string;
    };

    export type News = {
      v: number;
    } & What;

    export type Part = {
      id: string;
      type: string | null;
    };

    export type What =
      | {
          type: 'came';
          /** The subject. */
          who: string;
        }
      | {
          type: 'wentAway';
        };
    "#);
}

#[test]
fn the_table_is_a_trpc_router() {
    let module = trpc_router(&router(), "./types.js");
    let (_, router) = module.split_once("export type AppRouter").unwrap();
    assert_snapshot!(router, @r#"
     = TRPCBuiltRouter<
      Root,
      {
        a: {
          ask: Query<Ask | undefined, Left>;
          b: {
            need: Query<Need, Left>;
          };
        };
        z: {
          nothing: Mutation<undefined, Left>;
        };
      }
    >;
    "#);
}

#[test]
fn the_table_is_an_orpc_client() {
    let module = orpc_client(&router(), "./types.js");
    assert_snapshot!(module, @r#"
    import type { Client, ORPCError } from '@orpc/client';
    import type { Ask, InputIssue, Left, Need } from './types.js';

    export type ErrorCode =
      | 'PARSE_ERROR'
      | 'BAD_REQUEST'
      | 'UNAUTHORIZED'
      | 'PAYMENT_REQUIRED'
      | 'FORBIDDEN'
      | 'NOT_FOUND'
      | 'METHOD_NOT_SUPPORTED'
      | 'TIMEOUT'
      | 'CONFLICT'
      | 'PRECONDITION_FAILED'
      | 'PAYLOAD_TOO_LARGE'
      | 'UNSUPPORTED_MEDIA_TYPE'
      | 'UNPROCESSABLE_CONTENT'
      | 'PRECONDITION_REQUIRED'
      | 'TOO_MANY_REQUESTS'
      | 'CLIENT_CLOSED_REQUEST'
      | 'INTERNAL_SERVER_ERROR'
      | 'NOT_IMPLEMENTED'
      | 'BAD_GATEWAY'
      | 'SERVICE_UNAVAILABLE'
      | 'GATEWAY_TIMEOUT';

    /** An error that `isDefinedError` recognises: one with a `reason`. */
    export type DefinedError = ORPCError<ErrorCode, { reason: string; issues?: InputIssue[] }>;

    type Procedure<Input, Output> = Client<Record<never, never>, Input, Output, Error | DefinedError>;

    /** The table of procedures, for `createORPCClient`. */
    export type AppClient = {
      a: {
        ask: Procedure<Ask | undefined, Left>;
        b: {
          need: Procedure<Need, Left>;
        };
      };
      z: {
        nothing: Procedure<undefined, Left>;
      };
    };
    "#);
}

#[test]
#[should_panic(expected = "two types are called Left")]
fn two_types_of_one_name_panic() {
    #[derive(TS)]
    #[ts(rename = "Left")]
    struct Other {
        _left: bool,
    }
    Declarations::of(&router()).add::<Other>();
}
