/** What is incomplete, and why. */
import type { ComponentChildren } from 'preact';
import { countOf } from '../format/size.js';
import type { Inspector } from '../session/inspector.js';

export function Notices({ inspector }: { inspector: Inspector }): ComponentChildren {
  const { shown, live, notice } = inspector;
  const { session, isPaused, waiting } = shown;
  const lines: ComponentChildren[] = [];
  if (!inspector.server.hasToken)
    lines.push(
      <p class="error">
        The address of this page lacks the token: open the whole address that seqpacket has printed.
      </p>,
    );
  else if (inspector.status === 'ended')
    lines.push(
      <p class="error">
        The trace has ended{inspector.reason === '' ? '' : `: ${inspector.reason}`}. Everything that was
        received is still here.
      </p>,
    );
  if (shown !== live)
    lines.push(
      <p>
        This is the recording {session.title}.{' '}
        <button type="button" class="link" onClick={() => inspector.showLive()}>
          Back to {live.session.title || 'the trace'}
        </button>
      </p>,
    );
  if (isPaused) lines.push(<p>Paused: {countOf(waiting, 'newer row')} not shown. Space resumes.</p>);
  if (session.leftOut > 0)
    lines.push(
      <p>{countOf(session.leftOut, 'message')} left out: they came before the page could read them.</p>,
    );
  if (session.store.dropped > 0)
    lines.push(
      <p>{countOf(session.store.dropped, 'older row')} dropped: the memory of this page is limited.</p>,
    );
  return (
    <div class="notices" role="status">
      {lines}
      {notice !== undefined && <p class={`toast ${notice.isError ? 'error' : ''}`}>{notice.text}</p>}
    </div>
  );
}
