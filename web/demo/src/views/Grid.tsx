import { MonthView, WeekView } from '@calwire/client/react/widgets';

import { GoogleLink } from '../parts/GoogleLink';
import type { ViewProps } from './view-props';

export function WeekPage({ session }: ViewProps) {
  return (
    <>
      <Heading title="Week" session={session} />
      <WeekView editable />
    </>
  );
}

export function MonthPage({ session }: ViewProps) {
  return (
    <>
      <Heading title="Month" session={session} />
      <MonthView editable />
    </>
  );
}

function Heading({ title, session }: { title: string } & Pick<ViewProps, 'session'>) {
  return (
    <div className="heading">
      <h1>{title}</h1>
      <GoogleLink session={session} />
    </div>
  );
}
