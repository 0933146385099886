/** The list of keys. */
import type { ComponentChildren } from 'preact';
import type { Inspector } from '../session/inspector.js';
import { KEYS } from './keys.js';
import { Modal } from './modal.js';

export function KeysDialog({ inspector }: { inspector: Inspector }): ComponentChildren {
  return (
    <Modal
      title="Keys"
      onClose={() => {
        inspector.hasKeys = false;
        inspector.changed();
      }}
    >
      <dl class="keys">
        {KEYS.map(({ shown, purpose }) => (
          <div key={shown}>
            <dt>
              {shown.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{purpose}</dd>
          </div>
        ))}
      </dl>
      <p class="muted">
        In the list of connections, Enter shows the messages of one, and Space adds or removes it. A recording
        can be dropped on the page.
      </p>
    </Modal>
  );
}
