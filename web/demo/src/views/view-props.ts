import type { Messages } from '../messages';
import type { Session } from '../session';

export interface ViewProps {
  session: Session;
  user: string;
  messages: Messages;
}
