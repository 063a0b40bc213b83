"""
The state table as a model of one instance and its child: where they may be, given what was asked and not yet seen to
take effect.

Rule 1: pure, and no state has a name here; every step is a cell of the table.
Rule 2: what was accepted waits in an inbox; a turn takes any number of what waits, in order.
Rule 3: what the workflow does may come at any place of a turn after what it waits for.
Rule 4: what nobody asked for (a timer's end, a child's start and end, what reaches a child through its parent) is
mail: it arrives at any time, in any order.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from conformance.believe import nowhere

from .guess import AWAITED, AWAKE, OWN, POST, TAKEN, Guess, Guesses
from .moves import CALL, FAILS, RETURNS, START, Op, Part, Script
from .turns import CONDITIONS, Turn, Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spec import Cell, Spec

    from .moves import Book


class Model:
    """
    What may become of an instance. `held`: the state in which the target keeps new instances, or the empty string.
    """

    def __init__(self, held_to: Spec, book: Book, held: str = "") -> None:
        self.spec, self.book = held_to, book
        self.machine = held_to.machine
        self.absent = nowhere(self.machine)
        self._turn = Turns(held_to)
        self.accepts, self.goes = self._turn.accepts, self._turn.goes
        self.opening, self._ends_in = self._opens(held)
        self._first = self.machine.cell(self.absent, START).settles[0]
        self.awake = self.machine.cell(self._first, self.opening).settles
        self._alone = held != self._first
        self._well = frozenset(end for row in self.machine.table.values() for end in row[RETURNS].settles)
        self.turns = lru_cache(maxsize=65536)(self._turns)
        self.closure = lru_cache(maxsize=65536)(self._closure)

    @cached_property
    def unknown(self) -> Guesses:
        """
        What is known of an ID that was never used.
        """
        return frozenset({Guess(self.absent)})

    def part(self, guess: Guess, op: Op) -> Guess:
        """
        Whom an operation is about: the instance, or its child.
        """
        return guess if not op.whom else guess.child or Guess(self.absent)

    def cell(self, guess: Guess, operation: str) -> Cell:
        """
        The cell of an operation on the instance that a guess is about.
        """
        return self.machine.cell(guess.state, operation, CONDITIONS if self._active(guess) else ())

    def conditional(self, guess: Guess, operation: str) -> bool:
        """
        Whether the cell of an operation is that of a condition.
        """
        return self.cell(guess, operation) is not self.machine.cell(guess.state, operation)

    def unborn(self, guesses: Guesses) -> bool:
        """
        Whether a child may still be on its way.
        """
        return any(self._coming(one.mail) for one in guesses)

    def asked(self, guess: Guess, op: Op) -> Iterator[Guess]:
        """
        What a guess becomes by an operation that was accepted.
        """
        if not op.whom:
            yield from self._asked(guess, op)
            return
        part = self.part(guess, op)
        for new in self._asked(part, op):
            kin = TAKEN if op.operation == START and guess.kin else guess.kin
            yield guess._replace(child=new, kin=kin)
            late = tuple(letter for letter in part.mail if letter.operation not in (POST, AWAKE))
            if op.operation == START and late:
                yield guess._replace(child=new._replace(mail=late), kin=kin)

    def refused(self, guess: Guess, op: Op) -> Iterator[Guess]:
        """
        What a guess becomes by an operation that was refused: a cell with a condition may say more than nothing.
        """
        part = self.part(guess, op)
        yield guess
        for state in self.cell(part, op.operation).settles:
            if state != part.state and not op.whom:
                yield guess._replace(state=state, inbox=(), script=(), held=0, mail=())

    def settled(self, guesses: Guesses) -> Guesses:
        """
        Those of the guesses, once every effect is there.
        """
        return frozenset(one for one in self.closure(guesses) if not self.turns(one))

    def happening(self, guess: Guess, op: Op) -> Cell | None:
        """
        The happening that an operation on a settled instance brings about.
        """
        held = guess.held + self._turn.told(op, guess.state, guess.script)
        for state in self.cell(guess, op.operation).settles:
            due = self._turn.due(Turn(state, guess.script, held, ()))
            if due:
                return self.machine.cell(state, due)
        return None

    def _asked(self, part: Guess, op: Op) -> Iterator[Guess]:
        if op.operation != START:
            yield part._replace(inbox=self._turn.inbox(part.state, part.script, (*part.inbox, op._replace(whom=""))))
            return
        recipe = self.book.recipes[op.recipe]
        child = Guess(self.absent) if recipe.child else None
        for state in self.machine.cell(part.state, START).settles:
            yield self._begun(state, recipe.script, op.recipe)._replace(child=child)

    def _begun(self, state: str, script: Script, recipe: str = "") -> Guess:
        return Guess(state, (Op(self.opening, recipe=recipe),), self._ends_in or script)

    def _opens(self, held: str) -> tuple[str, Script]:
        """
        The happening a new instance begins with, and what happens then instead of what its workflow does.
        """
        first = self.machine.cell(self.absent, START).settles[0]
        usual = ""
        instead: Script = ()
        for name, happening in self.machine.happenings.items():
            settles = self.machine.cell(first, name).settles
            if settles and happening.spontaneous:
                usual = usual or name
            elif held in settles:
                instead = (Part(0, name),)
        return usual, instead

    def _closure(self, guesses: Guesses) -> Guesses:
        found, waiting = set(guesses), list(guesses)
        while waiting:
            new = self.turns(waiting.pop()) - found
            found |= new
            waiting += new
        return frozenset(found)

    def _turns(self, guess: Guess) -> Guesses:
        """
        Where one turn, or one letter, may lead.
        """
        return frozenset({*self._own(guess), *self._delivered(guess), *self._of_child(guess)} - {guess})

    def _own(self, guess: Guess) -> Iterator[Guess]:
        active = self._active(guess)
        due = self._turn.due(Turn(guess.state, guess.script, guess.held, ()))
        for size in range(0 if due else 1, len(guess.inbox) + 1):
            batch, rest = guess.inbox[:size], guess.inbox[size:]
            if not self._alone and all(one.operation in self.machine.happenings for one in batch):
                continue
            for end in self._turn.ends(Turn(guess.state, guess.script, guess.held, batch, active)):
                inbox = self._turn.inbox(end.state, end.script, rest)
                if self.goes(end.state):
                    new = guess._replace(state=end.state, inbox=inbox, script=end.script, held=end.held)
                    yield from self._set_off(new, batch)
                else:
                    over = guess._replace(state=end.state, inbox=inbox, script=(), held=0, mail=())
                    yield from self._bereaved(over, guess.mail, end.cause)

    def _set_off(self, guess: Guess, batch: tuple[Op, ...]) -> Iterator[Guess]:
        """
        What the first turn sets off; where the instance is paused in that turn, perhaps not before it is resumed.
        """
        began = next((one for one in batch if one.operation == self.opening and one.recipe), None)
        letters = self.book.recipes[began.recipe].sets_off if began else ()
        for kind in (POST,) if guess.state in self.awake or not letters else (POST, AWAKE):
            mail = tuple(Op(kind, began.recipe, event=one) for one in letters if began)
            yield guess._replace(mail=(*guess.mail, *mail))

    def _bereaved(self, guess: Guess, mail: tuple[Op, ...], cause: str) -> Iterator[Guess]:
        """
        The child of an instance that has ended, or is gone: what ended the parent is on its way to the child.
        """
        child, coming = guess.child, self._coming(mail)
        if child is None or not cause or not (coming or guess.kin):
            yield guess
            return
        if coming:
            yield guess
            child = self._called(coming)
        elif guess.kin == TAKEN or self.goes(child.state) != self.machine.states[guess.state].exists:
            yield guess
        yield guess._replace(child=child._replace(mail=(*child.mail, Op(cause))), kin=guess.kin or OWN)

    def _active(self, guess: Guess) -> bool:
        return guess.child is not None and bool(guess.kin) and self.goes(guess.child.state)

    @staticmethod
    def _coming(mail: tuple[Op, ...]) -> Op | None:
        return next((letter for letter in mail if letter.event == CALL and letter.recipe), None)

    def _called(self, letter: Op) -> Guess:
        return self._begun(self._first, self.book.recipes[letter.recipe].child or ())

    def _delivered(self, guess: Guess) -> Iterator[Guess]:
        for index, letter in enumerate(guess.mail):
            rest = guess._replace(mail=guess.mail[:index] + guess.mail[index + 1 :])
            if letter.operation == AWAKE and guess.state not in self.awake:
                continue
            if letter.event == CALL and letter.recipe:
                yield rest._replace(child=self._called(letter), kin=AWAITED)
                continue
            op = Op(POST, event=letter.event) if letter.operation == AWAKE else letter._replace(recipe="")
            yield rest._replace(inbox=self._turn.inbox(guess.state, guess.script, (*guess.inbox, op)))

    def _of_child(self, guess: Guess) -> Iterator[Guess]:
        """
        A turn of the child; a parent that waits for it is told of its end.
        """
        if guess.child is None:
            return
        for child in self.turns(guess.child):
            if self.goes(child.state) or guess.kin != AWAITED:
                yield guess._replace(child=child)
                continue
            letter = Op(POST, event=CALL if child.state in self._well else FAILS)
            mail = (*guess.mail, letter) if self.goes(guess.state) else guess.mail
            yield guess._replace(child=child, kin=OWN, mail=mail)
