/** The title, and what can be done with everything. */
import type { ComponentChildren } from 'preact';
import { countOf, formatSize } from '../format/size.js';
import type { Inspector, Status } from '../session/inspector.js';
import { Button } from './button.js';
import { chooseFile } from './choose-file.js';

const STATUS_TEXTS: Record<Status, string> = {
  connecting: 'connecting',
  live: 'live',
  complete: 'recording',
  ended: 'ended',
};

export function Toolbar({ inspector }: { inspector: Inspector }): ComponentChildren {
  const { shown } = inspector;
  const { session } = shown;
  const status = shown === inspector.live ? inspector.status : 'complete';
  const text = shown.isPaused ? 'paused' : STATUS_TEXTS[status];
  return (
    <header class="toolbar">
      <h1 title={session.title}>{session.title || 'seqpacket'}</h1>
      <span class={`status status-${shown.isPaused ? 'paused' : status}`}>{text}</span>
      <span class="totals">
        {countOf(session.store.messages, 'message')} · {formatSize(session.store.bytes)}
      </span>
      <div class="toolbar-buttons" role="toolbar" aria-label="Trace">
        <Button
          icon={shown.isPaused ? 'resume' : 'pause'}
          text={shown.isPaused ? 'Resume' : 'Pause'}
          shortcut="Space"
          isPressed={shown.isPaused}
          onPress={() => {
            shown.pause();
            inspector.changed();
          }}
        />
        <Button
          icon="clear"
          text="Clear"
          onPress={() => {
            shown.clear();
            inspector.isDetailOpen = false;
            inspector.changed();
          }}
        />
        <Button icon="open" text="Open…" shortcut="o" onPress={() => chooseFile(inspector)} />
        <Button icon="save" text="Export" shortcut="x" onPress={() => void inspector.export()} />
        <Button
          icon="charts"
          text="Charts"
          shortcut="c"
          class="wide-only"
          isPressed={inspector.hasCharts}
          onPress={() => {
            inspector.hasCharts = !inspector.hasCharts;
            inspector.changed();
          }}
        />
        <Button
          icon="keys"
          text="Keys"
          shortcut="?"
          class="wide-only"
          isIconOnly
          onPress={() => {
            inspector.hasKeys = true;
            inspector.changed();
          }}
        />
      </div>
    </header>
  );
}
